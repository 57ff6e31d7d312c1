//! The Lambda function of the operations that external agents call, and of runners.

use functions::{eap_api, host, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(eap_api(), app)).await
}
