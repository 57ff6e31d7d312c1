//! The Lambda of everything that external agents call.

use functions::{external, host, serve};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(external::routes(), app)).await
}
