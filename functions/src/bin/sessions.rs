//! The Lambda of everything under `/api/v1/sessions` and `/api/v1/live`.

use functions::{host, serve, work_and_watch};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(work_and_watch(), app)).await
}
