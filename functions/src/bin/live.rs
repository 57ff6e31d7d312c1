//! The Lambda function of the live stream's WebSocket: connections, disconnections and messages of clients.

use functions::host;
use shared::app::runtimes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> host::HostResult {
    let app = host::build_app(runtimes::no_runtimes)?;
    host::serve_websocket_events(app).await
}
