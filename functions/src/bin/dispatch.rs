//! The Lambda of the lane `dispatch`: finds a slot, a workspace and an agent for sessions, and hands them over.

use functions::host;
use shared::{job::Lane, runtime::carried};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    host::messages(Lane::Dispatch, host::start(carried::all)?).await
}
