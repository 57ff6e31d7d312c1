//! The Lambda function of the model registry and experiments.

use functions::{host, models_api, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(models_api(), app)).await
}
