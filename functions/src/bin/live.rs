//! The Lambda of the live stream: API Gateway calls it when a connection is opened, says something, and is gone.

use functions::host;
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::sockets(app).await
}
