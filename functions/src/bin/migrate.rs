//! The Lambda that is called once after each deployment: brings the database up to date and makes the agents known.

use functions::{host, work};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::calls(|| work::migrate(&app)).await
}
