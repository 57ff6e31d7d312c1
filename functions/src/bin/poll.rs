//! The Lambda of the lane `poll`: looks how far providers of training are.

use functions::host;
use shared::{job::Lane, runtime, trainer::carried};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    host::messages(Lane::Poll, host::start_to_train(runtime::carried::none, carried::remote)?).await
}
