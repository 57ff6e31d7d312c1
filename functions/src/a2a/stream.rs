//! `POST /message:stream`: as `message:send`, with the task and its updates as a stream until it ends or needs input.

use std::convert::Infallible;

use a2a::{
    A2AError, JsonRpcId, JsonRpcResponse, SendMessageRequest, StreamResponse, TaskArtifactUpdateEvent, TaskState,
    TaskStatus, TaskStatusUpdateEvent,
};
use axum::{
    extract::State,
    response::{Response, sse::Event as SseFrame},
};
use futures_util::Stream;
use serde_json::json;
use shared::{
    a2a::{
        allowance::Allowance,
        context_id, is_idle,
        service::{self, RenderOptions},
        state_of, task,
    },
    app::App,
    events::stream::{
        ConnectionHub, Cursor, Subscriber, Topic,
        frame::StreamEvent,
        hub::feed::{FeedItem, TopicFeed},
    },
    identity::auth::Caller as AuthenticatedCaller,
    kernel::error::Result,
    sessions::{self, Session, store::FoundSession},
};

use super::{
    refusal::HandlerResult,
    request::{At, Base, SendRequest},
    send::check_configuration,
};
use crate::http::{request::Member, sse};

/// Send a message and stream the task
///
/// Sends a message as `message:send` does and streams the task with its updates until it ends or needs input. Not
/// supported behind API Gateway.
#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/message:stream", operation_id = "a2a_stream_message", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant.")), request_body = Object,
    responses((status = 200, description = "The task and its updates as Server-Sent Events.", body = String, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<App>,
    caller: At<Member>,
    Base(base): Base,
    SendRequest(said): SendRequest,
) -> HandlerResult<Response> {
    stream_message(app, (*caller).clone(), &base, &said, Envelope::Plain).await
}

/// Accepts a message and streams its task.
pub(super) async fn stream_message(
    app: App,
    caller: AuthenticatedCaller,
    base: &str,
    said: &SendMessageRequest,
    envelope: Envelope,
) -> HandlerResult<Response> {
    check_open(&app)?;
    check_configuration(said)?;
    let id = service::accept_message(&app, &caller, &said.message).await?;
    let found = sessions::service::get(&app, &caller, id).await?;
    frames(app, caller, found, base, envelope).await
}

/// What each update of a stream is wrapped in.
pub(super) enum Envelope {
    Plain,
    /// An answer to the call with this id.
    JsonRpc(JsonRpcId),
}

impl Envelope {
    fn frame(&self, update: &StreamResponse) -> SseFrame {
        let update = serde_json::to_value(update).unwrap_or_default();
        let text = match self {
            Self::Plain => update.to_string(),
            Self::JsonRpc(id) => json!(JsonRpcResponse::success(id.clone(), update)).to_string(),
        };
        SseFrame::default().data(text)
    }
}

/// The hub that keeps a stream open. Behind API Gateway no answer stays open.
fn check_open(app: &App) -> Result<&ConnectionHub, A2AError> {
    let hub = app.backend.hub().filter(|_| app.settings.streams);
    hub.ok_or_else(|| A2AError::unsupported_operation("Nothing is streamed here."))
}

/// A task as it stands, then what comes.
pub(super) async fn frames(
    app: App,
    caller: AuthenticatedCaller,
    found: FoundSession,
    base: &str,
    envelope: Envelope,
) -> HandlerResult<Response> {
    let place = (Topic::Session(found.session.id), Cursor::Seq(found.session.last_event_seq));
    let feed = check_open(&app)?.follow(&app, Subscriber::from(&caller), place, app.stream_limits)?;
    let shown = RenderOptions { history: None, artifacts: true, base };
    let first =
        StreamResponse::Task(service::render_task(&app, &caller, &found, shown, &mut Allowance::default()).await?);
    let viewer = TaskViewer { app, caller, base: base.to_owned(), envelope };
    Ok(sse::respond(follow(viewer, found, first, feed)))
}

/// Who follows a task, and how its updates are written.
struct TaskViewer {
    app: App,
    caller: AuthenticatedCaller,
    base: String,
    envelope: Envelope,
}

fn follow(
    viewer: TaskViewer,
    mut found: FoundSession,
    first: StreamResponse,
    mut feed: TopicFeed,
) -> impl Stream<Item = Result<SseFrame, Infallible>> {
    async_stream::stream! {
        let id = found.session.id;
        let (mut seen, mut changed) = (found.session.last_event_seq, false);
        yield Ok(viewer.envelope.frame(&first));
        loop {
            // What was recorded together with a change of state comes before it.
            if changed && seen >= found.session.last_event_seq {
                changed = false;
                let status = task::task_status(&found.session);
                yield Ok(viewer.envelope.frame(&StreamResponse::StatusUpdate(status_update(&found.session, status))));
            }
            if !changed && is_idle(&found.session) {
                break;
            }
            let FeedItem::Event(event) = feed.next().await else { break };
            seen = event.seq.unwrap_or(seen);
            if event.kind == "session.status_changed" {
                let Ok(now) = sessions::service::get(&viewer.app, &viewer.caller, id).await else { break };
                (found, changed) = (now, true);
            } else if let Some(update) = viewer.update(&found.session, &event).await {
                yield Ok(viewer.envelope.frame(&update));
            }
        }
    }
}

fn status_update(session: &Session, status: TaskStatus) -> TaskStatusUpdateEvent {
    TaskStatusUpdateEvent { task_id: session.id.to_string(), context_id: context_id(session), status, metadata: None }
}

impl TaskViewer {
    /// The update that an event is to the client: a message of the agent, a file, or none. The end follows from the
    /// status.
    async fn update(&self, session: &Session, event: &StreamEvent) -> Option<StreamResponse> {
        match event.kind.as_str() {
            "session.message" if event.payload["role"] == "assistant" => {
                let message = task::message_of_event(session, event.id, &event.payload);
                // A message carries the last reported state; the agent is working while it writes.
                let state = Some(state_of(session)).filter(|state| !state.is_terminal()).unwrap_or(TaskState::Working);
                let status = TaskStatus { state, message, timestamp: Some(event.at) };
                Some(StreamResponse::StatusUpdate(status_update(session, status)))
            }
            "session.artifact" => {
                let kept = serde_json::from_value(event.payload["id"].clone()).ok()?;
                let kept = sessions::service::get_artifact(&self.app, &self.caller, session.id, kept).await.ok()?;
                let mut allowance = Allowance::default();
                let made =
                    service::read_artifact(&self.app, &self.caller, session.id, &kept, &mut allowance, &self.base)
                        .await
                        .ok()?;
                Some(StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
                    task_id: session.id.to_string(),
                    context_id: context_id(session),
                    artifact: made,
                    append: None,
                    last_chunk: Some(true),
                    metadata: None,
                }))
            }
            _ => None,
        }
    }
}
