//! The Lambda function of `/api/v1/sessions` and `/api/v1/live`.

use functions::{host, serve, sessions_api};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(sessions_api(), app)).await
}
