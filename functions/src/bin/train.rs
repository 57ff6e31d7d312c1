//! The Lambda of the lane `train`: curates datasets, hands them to providers of training, measures and registers results.

use functions::host;
use shared::{job::Lane, runtime, trainer::carried};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    host::messages(Lane::Train, host::start_to_train(runtime::carried::none, carried::remote)?).await
}
