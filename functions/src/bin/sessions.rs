//! The Lambda of everything under `/api/v1/sessions`.

use functions::{host, serve, sessions};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(sessions::routes(), app)).await
}
