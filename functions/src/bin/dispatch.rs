//! The Lambda function of the queue `dispatch`: admits sessions and hands them to their agents.

use functions::host;
use shared::{app::runtimes, platform::queue::job::QueueName};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    host::serve_queue(QueueName::Dispatch, host::build_app(runtimes::all_runtimes)?).await
}
