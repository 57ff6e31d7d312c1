//! The Lambda that API Gateway may ask before it lets a request through to another function.

use functions::host;
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::authorizations(app).await
}
