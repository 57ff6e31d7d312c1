//! The Lambda of agents: those of a tenant, and those that tenants offer to each other.

use functions::{fleet, host, serve};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(fleet(), app)).await
}
