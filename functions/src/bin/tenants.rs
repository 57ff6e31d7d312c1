//! The Lambda of tenants and all that belongs to them beside their work: people, keys, quotas, the audit log.

use functions::{host, serve, tenancy};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(tenancy(), app)).await
}
