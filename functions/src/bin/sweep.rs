//! The Lambda that a schedule calls each minute: rings again for every due row that nobody serves.

use functions::{host, work};
use shared::{job::Job, runtime::carried};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::calls(|| work::run(&app, Job::sweep())).await
}
