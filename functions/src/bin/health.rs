//! The Lambda of `/health`, `/ready`, the documents of the API, and of every path that is no route.

use functions::{health, host, serve};
use shared::runtime::carried;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start(carried::none)?;
    host::requests(serve(health::routes().merge(health::documents().into()), app)).await
}
