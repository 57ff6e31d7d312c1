//! The use cases of a tenant's agent: take a message, show tasks, call one off, hear the bell of an agent that we called.

use std::time::Duration;

use ::a2a::{A2AError, Artifact as Made, ListTasksRequest, ListTasksResponse, Message, Part, Task};
use chrono::{DateTime, TimeDelta};
use sha2::{Digest, Sha256};
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use crate::{
    app::App,
    auth::{Caller, store::find_tenant},
    error::{Code, Error, Result},
    id::{SessionId, TenantId},
    idempotency::{self, Answer},
    job::Job,
    runtime::a2a::doorbell,
    session::{
        self,
        status::Status,
        store::{Artifact, Found},
    },
    tenant::draft::slug,
};

use super::{
    Refusal, message, rests, statuses,
    store::{self, Wanted},
    task,
};

/// How many messages are shown with a task at most.
const MOST_HISTORY: i64 = 100;
/// Tasks on a page when nothing is said, and the most.
const PAGE: i32 = 50;
const MOST_PAGE: i32 = 100;
/// How large a file may be that is shown with its task, and all of them together; a larger one is shown by its URL.
const MOST_INLINE: i64 = 256 * 1024;
const MOST_TOGETHER: i64 = 4 * 1024 * 1024;
/// How often a task may move while it is called off.
const MOVES: u32 = 5;
/// How long the same message is waited for that is being taken in elsewhere.
const TRIES: u32 = 100;
const TRY_PAUSE: Duration = Duration::from_millis(50);

/// The tenant that a path names. One that is unknown and one that is deactivated are the same to everybody.
pub async fn tenant(app: &App, named: &str) -> Result<(TenantId, String)> {
    let unknown = || Error::new(Code::TenantNotFound, "There is no such tenant.");
    if slug(named.to_owned()).is_err() {
        return Err(unknown());
    }
    let found = find_tenant(&app.db, named).await?.filter(|tenant| tenant.is_active);
    found.map(|tenant| (tenant.id, tenant.slug)).ok_or_else(unknown)
}

/// Takes a message in: makes a session, answers its question, or says something further. Once, however often it comes.
pub async fn take(app: &App, caller: &Caller, said: &Message) -> Result<SessionId, Refusal> {
    message::check(said)?;
    let body = serde_json::to_value(said).map_err(Error::from)?.to_string();
    let key = format!("a2a:{}", hex::encode(Sha256::digest(&said.message_id)));
    let request = idempotency::Request { key: &key, method: "A2A", target: "message:send", body: body.as_bytes() };
    let mut tries = 0;
    loop {
        let claimed = idempotency::claim(app, caller, &request);
        let taken = claimed.scope(Box::pin(take_in(app, caller, said))).await;
        let (earlier, taken) = match taken {
            Ok(id) => {
                let answer = Answer { status: 200, headers: Vec::new(), body: id.to_string().into_bytes() };
                (Box::pin(claimed.finish(app, &answer)).await, Ok(id))
            }
            Err(refusal) => (Box::pin(claimed.earlier(app)).await, Err(refusal)),
        };
        match earlier {
            Err(error) if error.code() == Code::IdempotencyInProgress && tries < TRIES => tries += 1,
            Err(error) if error.code() == Code::IdempotencyKeyReused => {
                return Err(message::refused("message.messageId", "was sent before with another message").into());
            }
            Err(error) => return Err(error.into()),
            Ok(Some(answer)) => return Ok(read_id(&answer)?),
            Ok(None) => return taken,
        }
        tokio::time::sleep(TRY_PAUSE).await;
    }
}

fn read_id(answer: &Answer) -> Result<SessionId> {
    let text = std::str::from_utf8(&answer.body).map_err(Error::internal)?;
    text.parse().map_err(Error::internal)
}

async fn take_in(app: &App, caller: &Caller, said: &Message) -> Result<SessionId, Refusal> {
    let Some(named) = said.task_id.as_deref().filter(|id| !id.is_empty()) else {
        let draft = message::draft(said)?;
        return Ok(session::service::open(app, caller, draft, true).await?.session.id);
    };
    let found = get(app, caller, named).await?;
    let id = found.session.id;
    session::service::say(app, caller, id, message::said(&found.session, said)?).await?;
    Ok(id)
}

/// The session of a task. To the client an id is any text.
pub async fn get(app: &App, caller: &Caller, task: &str) -> Result<Found, Refusal> {
    let id = task.parse().map_err(|_| A2AError::task_not_found("there is none of this id"))?;
    Ok(session::service::get(app, caller, id).await?)
}

/// Waits until a task rests, for a while.
pub async fn wait(app: &App, caller: &Caller, id: SessionId, most: Duration) -> Result<Found> {
    let mut news = app.news.listen();
    let until = Instant::now() + most;
    loop {
        let found = session::service::get(app, caller, id).await?;
        if rests(&found.session) || Instant::now() >= until {
            return Ok(found);
        }
        let hinted = async {
            // A hint may be missed, or come to another process.
            loop {
                match news.recv().await {
                    Ok(told) if told == (caller.tenant_id, id) => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                }
            }
        };
        let look = until.min(Instant::now() + Duration::from_millis(500));
        let _ = tokio::time::timeout_at(look, hinted).await;
    }
}

/// What of a task is shown beside its state.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub history: Option<i32>,
    pub artifacts: bool,
    /// Where we are reached, for files that are too large to be shown.
    pub base: &'a str,
}

/// A session as a task.
pub async fn show(app: &App, caller: &Caller, found: &Found, shown: Shown<'_>) -> Result<Task> {
    let session = &found.session;
    let mut task = task::task(found);
    let most = shown.history.map_or(MOST_HISTORY, i64::from).clamp(0, MOST_HISTORY);
    if most > 0 {
        let events = store::messages(&app.db, caller.tenant_id, session.id, most).await?;
        let mut history: Vec<_> = events.iter().filter_map(|event| task::message(session, event)).collect();
        if i64::try_from(history.len()).is_ok_and(|told| told < most) {
            history.insert(0, task::first(session));
        }
        task.history = Some(history);
    }
    if shown.artifacts {
        let kept = session::service::artifacts(app, caller, session.id).await?;
        let mut left = MOST_TOGETHER;
        let mut made = Vec::with_capacity(kept.len());
        for one in &kept {
            made.push(artifact(app, caller, session.id, one, &mut left, shown.base).await?);
        }
        task.artifacts = Some(made).filter(|made| !made.is_empty());
    }
    Ok(task)
}

/// A file of a session as an artifact: with its content while there is room, else by its URL.
pub async fn artifact(
    app: &App,
    caller: &Caller,
    id: SessionId,
    kept: &Artifact,
    left: &mut i64,
    base: &str,
) -> Result<Made> {
    let part = if kept.size <= MOST_INLINE.min(*left) {
        *left -= kept.size;
        let content = app.files.get(caller.tenant_id, id, &kept.sha256).await?.to_vec();
        match String::from_utf8(content) {
            Ok(text) if kept.mime_type.starts_with("text/") || kept.mime_type == "application/json" => Part::text(text),
            Ok(text) => Part::raw(text.into_bytes()),
            Err(other) => Part::raw(other.into_bytes()),
        }
    } else {
        Part::url(format!("{base}/api/v1/sessions/{id}/artifacts/{}", kept.id))
    };
    Ok(Made {
        artifact_id: kept.id.to_string(),
        name: Some(kept.path.clone()),
        description: None,
        parts: vec![part.with_filename(kept.path.clone()).with_media_type(kept.mime_type.clone())],
        metadata: None,
        extensions: None,
    })
}

/// A page of tasks, the last changed first.
pub async fn list(
    app: &App,
    caller: &Caller,
    request: &ListTasksRequest,
    base: &str,
) -> Result<ListTasksResponse, Refusal> {
    let size = request.page_size.unwrap_or(PAGE);
    if !(1..=MOST_PAGE).contains(&size) {
        return Err(message::refused("pageSize", "must be 1 to 100").into());
    }
    let token = request.page_token.as_deref().filter(|token| !token.is_empty());
    let below = token.map(|token| place(token).ok_or_else(|| message::refused("pageToken", "is not one of ours")));
    let states = request.status.as_ref().map(statuses);
    let wanted = Wanted {
        context: request.context_id.as_deref().filter(|context| !context.is_empty()),
        states: states.as_ref().map(|(plain, held)| (plain.as_slice(), held.as_slice())),
        after: request.status_timestamp_after,
        below: below.transpose()?,
        limit: i64::from(size) + 1,
    };
    let (mut page, total) = store::list(&app.db, caller.tenant_id, &wanted).await?;
    let more = page.len() > usize::try_from(size).unwrap_or_default();
    page.truncate(usize::try_from(size).unwrap_or_default());
    let next = page.last().filter(|_| more).map(|(id, at)| format!("{}.{id}", at.timestamp_micros()));
    let ids: Vec<_> = page.iter().map(|(id, _)| *id).collect();
    let found = session::store::named(&app.db, caller.tenant_id, &ids, app.clock.now()).await?;
    let shown = Shown {
        history: Some(request.history_length.unwrap_or(0)),
        artifacts: request.include_artifacts == Some(true),
        base,
    };
    let mut tasks = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(one) = found.iter().find(|one| one.session.id == id) {
            tasks.push(show(app, caller, one, shown).await?);
        }
    }
    let total_size = i32::try_from(total).unwrap_or(i32::MAX);
    Ok(ListTasksResponse { tasks, next_page_token: next.unwrap_or_default(), page_size: size, total_size })
}

fn place(token: &str) -> Option<(crate::clock::Time, SessionId)> {
    let (at, id) = token.split_once('.')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
}

/// Calls a task off: what runs is stopped, what waits or is held is cancelled.
pub async fn cancel(app: &App, caller: &Caller, task: &str) -> Result<Found, Refusal> {
    for _ in 0..MOVES {
        let found = get(app, caller, task).await?;
        let (id, status) = (found.session.id, found.session.status);
        let done = match status {
            Status::Running | Status::Degraded => session::service::stop(app, caller, id, None).await,
            _ if status.is_over() => break,
            _ => session::service::cancel(app, caller, id, None).await,
        };
        match done {
            Ok((found, _)) => return Ok(found),
            // It went on between the two: the other verb is the right one now.
            Err(error) if error.code() == Code::InvalidTransition => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(A2AError::task_not_cancelable(task).into())
}

/// An agent that we called says that there is news. It is looked at soon, and never more often than without its bell.
pub async fn ring(app: &App, tenant_id: TenantId, id: SessionId, token: Option<&str>) -> Result<()> {
    let fits = token.is_some_and(|token| doorbell::fits(&app.keys.pepper, tenant_id, id, token));
    if !fits {
        return Err(Error::new(Code::Unauthenticated, "This is not the token of the doorbell."));
    }
    let pause = app.settings.pace.shortest;
    let at = app.clock.now() + TimeDelta::from_std(pause).unwrap_or_default();
    if store::hurry(&app.db, tenant_id, id, at).await? {
        app.ring(&[(Job::observe(tenant_id, id), pause)]).await;
    }
    Ok(())
}
