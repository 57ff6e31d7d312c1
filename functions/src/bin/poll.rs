//! The Lambda function of the queue `poll`: polls the providers of training jobs.

use functions::host;
use shared::{
    app::{runtimes, trainers},
    platform::queue::job::QueueName,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    host::serve_queue(QueueName::Poll, host::build_training_app(runtimes::no_runtimes, trainers::remote_trainers)?)
        .await
}
