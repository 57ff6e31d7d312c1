//! The Lambda of agents: those of a tenant, and those that tenants offer to each other.

use functions::{fleet, host, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start()?;
    host::requests(serve(fleet(), app)).await
}
