//! The Lambda of the registry: models, and experiments with them.

use functions::{host, registry, serve};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(registry(), app)).await
}
