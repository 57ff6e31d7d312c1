//! The Lambda of `/health`, `/ready`, the documents of the API, and of every path that is no route.

use functions::{health, host, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start()?;
    host::requests(serve(health::routes().merge(health::documents().into()), app)).await
}
