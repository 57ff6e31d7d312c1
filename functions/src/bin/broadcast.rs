//! The Lambda function of the queue `broadcast`: sends new events to subscribers.

use functions::host;
use shared::{app::runtimes, platform::queue::job::QueueName};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    host::serve_queue(QueueName::Broadcast, host::build_app(runtimes::no_runtimes)?).await
}
