//! The use cases of the A2A server: receive a message, return and list tasks, cancel a task, receive a push
//! notification.

use std::time::Duration;

use ::a2a::{A2AError, Artifact as A2aArtifact, ListTasksRequest, ListTasksResponse, Message, Part, Task};
use chrono::{DateTime, TimeDelta};
use sha2::{Digest, Sha256};

use crate::{
    agents::a2a_client::push_notification,
    engine::{commands, services::Engine},
    identity::{
        auth::Caller,
        idempotency::{self, StoredResponse},
        tenants::draft::parse_slug,
    },
    kernel::{
        canonical_json::to_canonical_json,
        error::{Code, Error, Result},
        id::{SessionId, TenantId},
    },
    platform::queue::job::Job,
    sessions::{
        self,
        status::Status,
        store::{Artifact, FoundSession},
    },
};

use super::{
    A2aRefusal,
    allowance::Allowance,
    context_id,
    field_error::invalid_field,
    is_idle, message, statuses_of,
    store::{self, TaskFilter},
    task,
};

/// The most messages in the history of a returned task.
const MOST_HISTORY: i64 = 100;
/// The default and the largest page size.
const PAGE: i32 = 50;
const MOST_PAGE: i32 = 100;
/// The largest file that is returned inline; larger files are returned by URL.
const MOST_INLINE: i64 = 256 * 1024;
/// How many of the tasks that a message refers to are looked at.
const MOST_REFERENCES: usize = 10;
/// How often a cancellation is retried when the task changes meanwhile.
const MOVES: u32 = 5;
/// How long to wait for another request that processes the same message, or changed what the work assumed.
const TRIES: u32 = 100;
const TRY_PAUSE: Duration = Duration::from_millis(50);

/// The tenant that a path names, as known a few seconds ago. Unknown and deactivated tenants give the same error.
pub async fn find_active_tenant(engine: &Engine, named: &str) -> Result<(TenantId, String)> {
    let unknown = || Error::new(Code::TenantNotFound, "There is no such tenant.");
    if parse_slug(named.to_owned()).is_err() {
        return Err(unknown());
    }
    let found = engine.credentials.find_tenant(&engine.db, named).await?.filter(|tenant| tenant.is_active);
    found.map(|tenant| (tenant.id, tenant.slug)).ok_or_else(unknown)
}

/// Processes a message once: creates a session, answers its question, or sends it another prompt.
pub async fn accept_message(engine: &Engine, caller: &Caller, said: &Message) -> Result<SessionId, A2aRefusal> {
    message::check_message(said)?;
    let body = to_canonical_json(said).map_err(Error::from)?;
    // A client that uses an id for another message means another message: only copies of one are the same.
    let key = format!("a2a:{}", hex::encode(Sha256::digest(&body)));
    let request = idempotency::KeyedRequest { key: &key, method: "A2A", target: "message:send", body: body.as_bytes() };
    let mut tries = 0;
    loop {
        let claimed = idempotency::claim_key(engine, caller, &request);
        let taken = claimed.run_with_key(Box::pin(take_in(engine, caller, said))).await;
        let (earlier, taken) = match taken {
            Ok(id) => {
                let answer = StoredResponse { status: 200, headers: Vec::new(), body: id.to_string().into_bytes() };
                (Box::pin(claimed.commit_response(engine, &answer)).await, Ok(id))
            }
            Err(refusal) => (Box::pin(claimed.stored_response(engine)).await, Err(refusal)),
        };
        match earlier {
            Err(error) if error.code() == Code::IdempotencyInProgress && tries < TRIES => tries += 1,
            Err(error) if error.is_repeatable() && tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
            Ok(Some(answer)) => return Ok(read_id(&answer)?),
            Ok(None) if taken.as_ref().is_err_and(A2aRefusal::is_repeatable) && tries < TRIES => tries += 1,
            Ok(None) => return taken,
        }
        tokio::time::sleep(TRY_PAUSE).await;
    }
}

fn read_id(answer: &StoredResponse) -> Result<SessionId> {
    let text = std::str::from_utf8(&answer.body).map_err(Error::internal)?;
    text.parse().map_err(Error::internal)
}

async fn take_in(engine: &Engine, caller: &Caller, said: &Message) -> Result<SessionId, A2aRefusal> {
    let Some(named) = said.task_id.as_deref().filter(|id| !id.is_empty()) else {
        return Box::pin(begin_task(engine, caller, said)).await;
    };
    let found = get(engine, caller, named).await?;
    let id = found.session.id;
    commands::send_message(engine, caller, id, message::parse_user_message(&found.session, said)?).await?;
    Ok(id)
}

/// Creates the session of a new task. In a context that has a finished task the session continues from it, so that it
/// has its files; a message that names a workspace begins anew.
async fn begin_task(engine: &Engine, caller: &Caller, said: &Message) -> Result<SessionId, A2aRefusal> {
    let mut draft = message::parse_draft(said)?;
    let earlier = find_earlier_task(engine, caller, said).await?.filter(|_| draft.spec.workspace.is_none());
    let found = match earlier {
        None => sessions::service::create(engine, caller, draft).await?,
        Some(earlier) => {
            if let Some(a2a) = draft.spec.metadata.get_mut("a2a").filter(|a2a| a2a["context_id"].is_null()) {
                a2a["context_id"] = context_id(&earlier.session).into();
            }
            sessions::service::create_continuation(engine, caller, earlier.session, draft).await?
        }
    };
    Ok(found.session.id)
}

/// The finished task that a message continues: the last one that it refers to, else the last one of its context.
async fn find_earlier_task(
    engine: &Engine,
    caller: &Caller,
    said: &Message,
) -> Result<Option<FoundSession>, A2aRefusal> {
    let mut earlier = None;
    for task in said.reference_task_ids.iter().flatten().take(MOST_REFERENCES) {
        let found = get(engine, caller, task).await?;
        earlier = Some(found).filter(|found| found.session.status.is_over()).or(earlier);
    }
    let Some(context) = said.context_id.as_deref().filter(|id| !id.is_empty() && earlier.is_none()) else {
        return Ok(earlier);
    };
    let over: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_over()).map(Status::name).collect();
    let wanted = TaskFilter { context: Some(context), states: Some((&over, &[])), after: None, below: None, limit: 1 };
    let (page, _) = store::list(&engine.db, caller.tenant_id, &wanted).await?;
    let Some((id, _)) = page.first() else { return Ok(None) };
    Ok(Some(sessions::service::get(engine, caller, *id).await?))
}

/// The session of a task. The client may send any text as id.
pub async fn get(engine: &Engine, caller: &Caller, task: &str) -> Result<FoundSession, A2aRefusal> {
    let id = task.parse().map_err(|_| A2AError::task_not_found("there is none of this id"))?;
    Ok(sessions::service::get(engine, caller, id).await?)
}

/// Waits until a task ends or needs input, up to a timeout.
pub async fn wait_until_rest(engine: &Engine, caller: &Caller, id: SessionId, most: Duration) -> Result<FoundSession> {
    sessions::service::wait_until(engine, caller, id, is_idle, most).await
}

/// Which parts of a task are returned.
#[derive(Clone, Copy, Debug)]
pub struct RenderOptions<'a> {
    pub history: Option<i32>,
    pub artifacts: bool,
    /// The public URL, for files that are not returned inline.
    pub base: &'a str,
}

/// A session as a task.
pub async fn render_task(
    engine: &Engine,
    caller: &Caller,
    found: &FoundSession,
    shown: RenderOptions<'_>,
    allowance: &mut Allowance,
) -> Result<Task> {
    let session = &found.session;
    let mut task = task::task_of_session(found);
    allowance.charge_status(&mut task.status);
    let most = shown.history.map_or(MOST_HISTORY, i64::from).clamp(0, MOST_HISTORY);
    if most > 0 {
        let events = store::list_messages(&engine.db, caller.tenant_id, session.id, most).await?;
        let mut history: Vec<_> =
            events.iter().filter_map(|event| task::message_of_event(session, event.id, &event.payload)).collect();
        if i64::try_from(history.len()).is_ok_and(|count| count < most) {
            history.insert(0, task::prompt_message(session));
        }
        allowance.charge_history(&mut history);
        task.history = Some(history);
    }
    if shown.artifacts {
        let kept = sessions::service::list_artifacts(engine, caller, session.id).await?;
        let mut made = Vec::with_capacity(kept.len());
        for one in &kept {
            made.push(read_artifact(engine, caller, session.id, one, allowance, shown.base).await?);
        }
        task.artifacts = Some(made).filter(|made| !made.is_empty());
    }
    Ok(task)
}

/// A file of a session as an artifact: inline while the allowance lasts, else by URL.
pub async fn read_artifact(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    kept: &Artifact,
    allowance: &mut Allowance,
    base: &str,
) -> Result<A2aArtifact> {
    let part = if kept.size <= MOST_INLINE && allowance.take(kept.size) {
        let content = engine.files.get(caller.tenant_id, id, &kept.sha256).await?.to_vec();
        match String::from_utf8(content) {
            Ok(text) if kept.mime_type.starts_with("text/") || kept.mime_type == "application/json" => Part::text(text),
            Ok(text) => Part::raw(text.into_bytes()),
            Err(other) => Part::raw(other.into_bytes()),
        }
    } else {
        Part::url(format!("{base}/api/v1/sessions/{id}/artifacts/{}", kept.id))
    };
    Ok(A2aArtifact {
        artifact_id: kept.id.to_string(),
        name: Some(kept.path.clone()),
        description: None,
        parts: vec![part.with_filename(kept.path.clone()).with_media_type(kept.mime_type.clone())],
        metadata: None,
        extensions: None,
    })
}

/// The size of the page that a request asks for.
fn check_page(request: &ListTasksRequest) -> Result<i32, A2AError> {
    let size = request.page_size.unwrap_or(PAGE);
    if !(1..=MOST_PAGE).contains(&size) {
        return Err(invalid_field("pageSize", "must be 1 to 100"));
    }
    if request.history_length.is_some_and(|length| length < 0) {
        return Err(invalid_field("historyLength", "is not a length"));
    }
    Ok(size)
}

/// A page of tasks, the last changed first.
pub async fn list(
    engine: &Engine,
    caller: &Caller,
    request: &ListTasksRequest,
    base: &str,
) -> Result<ListTasksResponse, A2aRefusal> {
    let size = check_page(request)?;
    let token = request.page_token.as_deref().filter(|token| !token.is_empty());
    let below =
        token.map(|token| parse_page_token(token).ok_or_else(|| invalid_field("pageToken", "is not one of ours")));
    let states = request.status.as_ref().map(statuses_of);
    let wanted = TaskFilter {
        context: request.context_id.as_deref().filter(|context| !context.is_empty()),
        states: states.as_ref().map(|(plain, held)| (plain.as_slice(), held.as_slice())),
        after: request.status_timestamp_after,
        below: below.transpose()?,
        limit: i64::from(size) + 1,
    };
    let (mut page, total) = store::list(&engine.db, caller.tenant_id, &wanted).await?;
    let more = page.len() > usize::try_from(size).unwrap_or_default();
    page.truncate(usize::try_from(size).unwrap_or_default());
    let next = page.last().filter(|_| more).map(|(id, at)| format!("{}.{id}", at.timestamp_micros()));
    let ids: Vec<_> = page.iter().map(|(id, _)| *id).collect();
    let found = sessions::store::find_all(&engine.db, caller.tenant_id, &ids, engine.clock.now()).await?;
    let shown = RenderOptions {
        history: Some(request.history_length.unwrap_or(0)),
        artifacts: request.include_artifacts == Some(true),
        base,
    };
    let (mut tasks, mut allowance) = (Vec::with_capacity(ids.len()), Allowance::default());
    for one in ids.iter().filter_map(|id| found.iter().find(|one| one.session.id == *id)) {
        tasks.push(render_task(engine, caller, one, shown, &mut allowance).await?);
    }
    let total_size = i32::try_from(total).unwrap_or(i32::MAX);
    Ok(ListTasksResponse { tasks, next_page_token: next.unwrap_or_default(), page_size: size, total_size })
}

fn parse_page_token(token: &str) -> Option<(crate::kernel::clock::Time, SessionId)> {
    let (at, id) = token.split_once('.')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
}

/// Cancels a task: stops a running session, cancels a waiting or paused one.
pub async fn cancel_task(engine: &Engine, caller: &Caller, task: &str) -> Result<FoundSession, A2aRefusal> {
    for _ in 0..MOVES {
        let found = get(engine, caller, task).await?;
        let (id, status) = (found.session.id, found.session.status);
        let done = match status {
            Status::Running | Status::Degraded => commands::stop(engine, caller, id, None).await,
            _ if status.is_over() => break,
            _ => commands::cancel(engine, caller, id, None).await,
        };
        match done {
            Ok((found, _)) => return Ok(found),
            // It changed meanwhile: the other command applies now.
            Err(error) if error.code() == Code::InvalidTransition => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(A2AError::task_not_cancelable(task).into())
}

/// Receives a push notification of an agent: makes the next observation due soon, never more often than polling would.
pub async fn receive_push_notification(
    engine: &Engine,
    tenant_id: TenantId,
    id: SessionId,
    token: Option<&str>,
) -> Result<()> {
    let fits = token.is_some_and(|token| push_notification::is_valid_token(&engine.pepper, tenant_id, id, token));
    if !fits {
        return Err(Error::new(Code::Unauthenticated, "The push notification token is not valid."));
    }
    let pause = engine.session_settings.poll.interval_min;
    let at = engine.clock.now() + TimeDelta::from_std(pause).unwrap_or_default();
    if store::observe_now(&engine.db, tenant_id, id, at).await? {
        engine.enqueue(&[(Job::observe(tenant_id, id), pause)]).await;
    }
    Ok(())
}
