//! The Lambda function that API Gateway may call before it forwards a request.

use functions::host;
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_authorizer(app).await
}
