//! The Lambda of the lane `broadcast`: tells those who watch what is new.

use functions::host;
use shared::{job::Lane, runtime::carried};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    host::messages(Lane::Broadcast, host::start(carried::none)?).await
}
