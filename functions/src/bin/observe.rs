//! The Lambda of the lane `observe`: looks how agents do, and writes down what they did.

use functions::host;
use shared::{job::Lane, runtime::carried};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    host::messages(Lane::Observe, host::start(carried::all)?).await
}
