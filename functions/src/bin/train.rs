//! The Lambda function of the queue `train`: curates datasets, submits training jobs, registers the results.

use functions::host;
use shared::{
    app::{runtimes, trainers},
    platform::queue::job::QueueName,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    host::serve_queue(QueueName::Train, host::build_training_app(runtimes::no_runtimes, trainers::remote_trainers)?)
        .await
}
