//! The Lambda of fine-tuning: everything under `/api/v1/fine-tuning`.

use functions::{host, serve, training};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(training(), app)).await
}
