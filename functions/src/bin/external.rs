//! The Lambda of everything that external agents call.

use functions::{external, host, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::Ended {
    let app = host::start()?;
    host::requests(serve(external::routes(), app)).await
}
