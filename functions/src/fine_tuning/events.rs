//! `GET /fine-tuning/jobs/{id}/events`: the log of a training job, as a page or as a stream.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use shared::{
    app::App,
    events::stream::{Subscriber, Topic, service::find_start},
    identity::auth::Caller as AuthenticatedCaller,
    kernel::{error::Result, id::TrainingJobId},
    training::jobs::{event::TrainingEvent, service, store::TrainingJobLog},
};

use crate::http::{
    problem::HandlerResult,
    request::{PathId, Query, StreamReader},
    sse::{self, LogEvent, LogPage, LogPart, LogQuery, LogRequest, LogSource},
};

impl LogEvent for TrainingEvent {
    fn seq(&self) -> i64 {
        self.seq
    }

    fn kind(&self) -> &str {
        &self.kind
    }
}

/// List events of a training job
///
/// Returns a page of the job's log, oldest first. With `Accept: text/event-stream` the log is streamed as Server-Sent
/// Events instead, with `seq` as the id of each frame, so that a client that reconnects misses nothing. The stream ends
/// with the last event of a job that is over. A browser that cannot send headers authenticates with a ticket in the
/// query.
#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs/{id}/events", operation_id = "list_training_events", tag = "fine-tuning",
    params(("id" = uuid::Uuid, Path, description = "The id of the training job."), LogQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "For streams: the `seq` of the last event received.")),
    responses((status = 200, description = "A page of the log, or a stream of it.", content(
        (LogPage<TrainingEvent> = "application/json"), (TrainingEvent = "text/event-stream"))),
        (status = 204, description = "For streams that continue: the job is over and nothing follows.")))]
pub(super) async fn events(
    State(app): State<App>,
    caller: StreamReader,
    PathId(id): PathId<TrainingJobId>,
    headers: HeaderMap,
    Query(query): Query<LogQuery>,
) -> HandlerResult<Response> {
    let LogRequest { after, limit, streams, resumes } = LogRequest::parse(&headers, query)?;
    let log = service::list_events(&app, &caller, id, after, limit).await?;
    if !streams {
        return Ok(Json(LogPage::of(after, log.events, log.last_seq)).into_response());
    }
    if resumes && log.is_over && after >= log.last_seq {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // A change of a job is also an event of the tenant, which wakes the stream.
    let feed = match app.backend.hub().filter(|_| app.settings.streams) {
        None => None,
        Some(hub) => {
            let subscriber = Subscriber::from(&*caller);
            let start = find_start(&app, &subscriber, Topic::FineTuning, None).await?;
            Some(hub.follow(&app, subscriber, (Topic::FineTuning, start.cursor), app.stream_limits)?)
        }
    };
    Ok(sse::respond(sse::frames(TrainingLog { app, caller: (*caller).clone(), id }, after, feed)))
}

struct TrainingLog {
    app: App,
    caller: AuthenticatedCaller,
    id: TrainingJobId,
}

impl LogSource for TrainingLog {
    type Event = TrainingEvent;

    async fn read(&self, after: i64, limit: i64) -> Result<LogPart<TrainingEvent>> {
        let TrainingJobLog { events, last_seq, is_over } =
            service::list_events(&self.app, &self.caller, self.id, after, limit).await?;
        Ok(LogPart { events, last_seq, is_over })
    }
}
