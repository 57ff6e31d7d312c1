//! The Lambda function that is invoked after each deployment: migrates the database, registers the platform's agents.

use functions::{host, jobs};
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_invocations(|| jobs::migrate(&app)).await
}
