//! The Lambda function of `/api/v1/fine-tuning`.

use functions::{fine_tuning_api, host, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(fine_tuning_api(), app)).await
}
