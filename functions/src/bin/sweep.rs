//! The Lambda that a schedule calls each minute: rings again for every due row that nobody serves.

use functions::{host, work};
use shared::job::Job;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start()?;
    host::calls(|| work::run(&app, Job::sweep())).await
}
