//! The Lambda function of agents and the marketplace.

use functions::{agents_api, host, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(agents_api(), app)).await
}
