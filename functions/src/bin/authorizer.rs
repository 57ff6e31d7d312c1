//! The Lambda that API Gateway may ask before it lets a request through to another function.

use functions::host;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start()?;
    host::authorizations(app).await
}
