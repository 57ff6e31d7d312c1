//! The Lambda function of tenants, users, API keys and the audit log.

use functions::{host, serve, tenants_api};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(tenants_api(), app)).await
}
