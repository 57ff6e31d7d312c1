//! The Lambda function of the queue `observe`: observes running sessions and records what their agents did.

use functions::host;
use shared::{app::runtimes, platform::queue::job::QueueName};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    host::serve_queue(QueueName::Observe, host::build_app(runtimes::all_runtimes)?).await
}
