//! `GET /ws/runners/{id}`: signals for a runner, on a host that holds the connections itself. They say what the runner
//! is to ask for, so that it need not ask all the time.

use std::time::Duration;

use axum::{
    Router,
    extract::{
        FromRequestParts, Request, State,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::get,
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::json;
use shared::{
    agents::eap::server::{runner_signals::PendingSignals, task_waiters::RunnerSubscription},
    app::App,
    identity::auth::RunnerCaller,
    kernel::error::{Code, Error},
    platform::notification::RunnerSignal,
};

use super::socket::no_socket;
use crate::http::{problem::HandlerResult, request::Runner};

/// The largest message of a runner, which has nothing to say, in bytes.
const MAX_MESSAGE: usize = 1024;
/// How long one write, and the end of a connection, may take.
const WRITE: Duration = Duration::from_secs(10);

/// The socket. Its route is no part of the documented API: a WebSocket is none of what OpenAPI describes.
pub fn routes() -> Router<App> {
    Router::new().route("/ws/runners/{id}", get(open))
}

async fn open(State(app): State<App>, request: Request) -> HandlerResult<Response> {
    let (mut parts, _) = request.into_parts();
    let Runner(runner) = Runner::from_request_parts(&mut parts, &app).await?;
    if app.backend.hub().is_none() {
        return Err(Error::new(Code::RouteNotFound, "The signals are at another address.").into());
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await.map_err(no_socket)?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move { Box::pin(serve(app, runner, socket)).await }))
}

/// Serves a connection until either side ends it. Its credential is checked when the runner opens the next one.
async fn serve(app: App, runner: RunnerCaller, socket: WebSocket) {
    let subscription = app.task_waiters.subscribe_runner(runner.runner_id, runner.agents.keys().copied().collect());
    let (mut writes, reads) = socket.split();
    tokio::select! {
        () = write(&app, &subscription, &mut writes) => {}
        () = drain(reads) => {}
        () = tokio::time::sleep(app.settings.live.longest) => {}
    }
    let _ = tokio::time::timeout(WRITE, writes.close()).await;
}

/// Sends what there is to send. The first frame follows the subscription, so that no signal is missed before it.
async fn write(app: &App, subscription: &RunnerSubscription<'_>, writes: &mut SplitSink<WebSocket, Message>) {
    let mut pings = tokio::time::interval(app.settings.live.heartbeat);
    let mut frames = vec![refresh_frame()];
    loop {
        for frame in frames.drain(..) {
            if !send(writes, Message::Text(frame)).await {
                return;
            }
        }
        tokio::select! {
            pending = subscription.next_signals(&app.cache) => {
                if pending.is_over {
                    let reason = Utf8Bytes::from_static("the runner was removed, or has a newer connection");
                    send(writes, Message::Close(Some(CloseFrame { code: 1000, reason }))).await;
                    return;
                }
                frames = signal_frames(&pending);
            }
            // Whoever is there answers by itself.
            _ = pings.tick() => if !send(writes, Message::Ping(bytes::Bytes::new())).await { return },
        }
    }
}

async fn send(writes: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
    matches!(tokio::time::timeout(WRITE, writes.send(message)).await, Ok(Ok(())))
}

/// Reads until the runner ends the connection.
async fn drain(mut reads: SplitStream<WebSocket>) {
    while let Some(Ok(message)) = reads.next().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

/// Asks for everything: signals may have been lost.
fn refresh_frame() -> Utf8Bytes {
    json!({"type": "refresh"}).to_string().into()
}

fn signal_frames(pending: &PendingSignals) -> Vec<Utf8Bytes> {
    if pending.refresh {
        return vec![refresh_frame()];
    }
    let available = pending.agents.iter().map(|agent| json!(RunnerSignal::TaskAvailable { agent_id: *agent }));
    let changed = pending.tasks.iter().map(|task| json!({"type": "task_changed", "task_id": task}));
    available.chain(changed).map(|frame| frame.to_string().into()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shared::kernel::id::{AgentId, ExternalTaskId};

    use super::*;

    #[test]
    fn signals_become_one_frame_each_and_lost_ones_a_refresh() {
        let (agent, task) = (AgentId::new(), ExternalTaskId(uuid::Uuid::nil()));
        let pending = PendingSignals {
            agents: BTreeSet::from([agent]),
            tasks: BTreeSet::from([task]),
            ..PendingSignals::default()
        };
        let frames = signal_frames(&pending);
        let available = json!({"type": "task_available", "agent_id": agent}).to_string();
        assert_eq!(frames, [available, json!({"type": "task_changed", "task_id": task}).to_string()]);
        assert_eq!(signal_frames(&PendingSignals { refresh: true, ..pending }), [r#"{"type":"refresh"}"#]);
    }
}
