//! The Lambda function that a schedule invokes each minute: the reconciler.

use functions::{host, jobs};
use shared::{app::runtimes, platform::queue::job::Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_invocations(|| jobs::run(&app, Job::reconcile())).await
}
