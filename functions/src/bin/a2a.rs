//! The Lambda of the tenants' agents, for clients that speak A2A, and of the doorbells of agents that we call.

use functions::{a2a, host, serve};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(a2a::routes(), app)).await
}
