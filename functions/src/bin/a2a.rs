//! The Lambda function of the tenants' A2A agents, and of push notifications from A2A agents.

use functions::{a2a, host, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(a2a::routes(), app)).await
}
