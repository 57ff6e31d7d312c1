//! `POST /message:stream`: as `message:send`, answered by the task and then by all that comes, until it rests.

use std::{convert::Infallible, time::Duration};

use a2a::{A2AError, StreamResponse, TaskArtifactUpdateEvent, TaskState, TaskStatus, TaskStatusUpdateEvent};
use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event as Frame, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use shared::{
    a2a::{
        context, rests,
        service::{self, Shown},
        state_of, task,
    },
    app::App,
    auth::Caller as Identity,
    error::Result,
    event::Event,
    session::{self, Session, service::Log, store::Found},
};
use tokio::sync::broadcast::error::RecvError;

use super::{
    refusal::{Answer, Refusals},
    request::{At, Base, Said},
};
use crate::request::Member;

#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/message:stream", operation_id = "a2a_stream_message", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant.")), request_body = Object,
    responses((status = 200, description = "The task, then its updates until it rests.", body = String, content_type = "text/event-stream"), Refusals))]
pub(super) async fn stream(
    State(app): State<App>,
    caller: At<Member>,
    Base(base): Base,
    Said(said): Said,
) -> Answer<Response> {
    check_open(&app)?;
    let id = service::take(&app, &caller, &said.message).await?;
    let found = session::service::get(&app, &caller, id).await?;
    frames(app, (*caller).clone(), found, base).await
}

/// Behind API Gateway no answer stays open.
fn check_open(app: &App) -> Result<(), A2AError> {
    if app.settings.streams { Ok(()) } else { Err(A2AError::unsupported_operation("Nothing is streamed here.")) }
}

/// A task as it stands, then what comes.
pub(super) async fn frames(app: App, caller: Identity, found: Found, base: String) -> Answer<Response> {
    check_open(&app)?;
    let shown = Shown { history: None, artifacts: true, base: &base };
    let first = StreamResponse::Task(service::show(&app, &caller, &found, shown).await?);
    let frames = follow(app, caller, found, first, base);
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

fn frame(update: &StreamResponse) -> Frame {
    Frame::default().data(serde_json::to_string(update).unwrap_or_default())
}

fn follow(
    app: App,
    caller: Identity,
    mut found: Found,
    first: StreamResponse,
    base: String,
) -> impl Stream<Item = Result<Frame, Infallible>> {
    async_stream::stream! {
        let (id, mut after) = (found.session.id, found.session.last_event_seq);
        let mut news = app.news.listen();
        yield Ok(frame(&first));
        while !rests(&found.session) {
            let Ok(Log { events, last_seq }) = session::service::events(&app, &caller, id, after, 200).await else { break };
            let changed = events.iter().any(|event| event.kind == "session.status_changed");
            for event in &events {
                after = event.seq;
                if let Some(update) = update(&app, &caller, &found.session, event, &base).await {
                    yield Ok(frame(&update));
                }
            }
            if changed {
                let Ok(now) = session::service::get(&app, &caller, id).await else { break };
                found = now;
                yield Ok(frame(&StreamResponse::StatusUpdate(told(&found.session, task::status(&found.session)))));
            }
            if after < last_seq || changed {
                continue;
            }
            // A hint may be missed, or come to another process: look again after a second at the latest.
            let hinted = async {
                loop {
                    match news.recv().await {
                        Ok(told) if told == (caller.tenant_id, id) => break,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                    }
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(1), hinted).await;
        }
    }
}

fn told(session: &Session, status: TaskStatus) -> TaskStatusUpdateEvent {
    TaskStatusUpdateEvent { task_id: session.id.to_string(), context_id: context(session), status, metadata: None }
}

/// What an event is to the client: words of the agent, a file, or nothing. The end is told with its state.
async fn update(app: &App, caller: &Identity, session: &Session, event: &Event, base: &str) -> Option<StreamResponse> {
    match event.kind.as_str() {
        "session.message" if event.payload["role"] == "assistant" => {
            let message = task::message(session, event);
            // Words come with the state that was told last; the agent works while it speaks.
            let state = Some(state_of(session)).filter(|state| !state.is_terminal()).unwrap_or(TaskState::Working);
            let status = TaskStatus { state, message, timestamp: Some(event.at) };
            Some(StreamResponse::StatusUpdate(told(session, status)))
        }
        "session.artifact" => {
            let kept = serde_json::from_value(event.payload["id"].clone()).ok()?;
            let kept = session::service::artifact(app, caller, session.id, kept).await.ok()?;
            let made = service::artifact(app, caller, session.id, &kept, &mut i64::from(i32::MAX), base).await.ok()?;
            Some(StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
                task_id: session.id.to_string(),
                context_id: context(session),
                artifact: made,
                append: None,
                last_chunk: Some(true),
                metadata: None,
            }))
        }
        _ => None,
    }
}
