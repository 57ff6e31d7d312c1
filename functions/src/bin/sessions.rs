//! The Lambda of everything under `/api/v1/sessions`.

use functions::{host, serve, sessions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start()?;
    host::requests(serve(sessions::routes(), app)).await
}
