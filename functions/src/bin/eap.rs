//! The Lambda function of the operations that external agents call.

use functions::{eap, host, serve};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_http(serve(eap::routes(), app)).await
}
