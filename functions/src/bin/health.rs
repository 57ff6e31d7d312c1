//! The Lambda function of `/health`, `/ready`, the documentation of the API, and unknown paths.

use functions::{documentation, health, host, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(health::routes().merge(documentation().into()), app)).await
}
