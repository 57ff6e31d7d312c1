//! An agent at work creates a session below its own, and reads what it came to. ADR 34 says who may, and on whose
//! behalf.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    agents::{
        contract::Question,
        eap::server::lease::{find_held_task, is_trusted},
        environments::reference::EnvironmentChoice,
    },
    identity::auth::{AgentCaller, Scope, creator::check_creator, scope::Area},
    kernel::{
        error::{Code, Error, Result, ValidationErrors},
        id::{ExternalTaskId, SessionId, TenantId},
    },
    sessions::{
        Session, SessionKey, SessionSpec,
        child::ChildState,
        draft::SessionDraft,
        fields,
        services::SessionServices,
        store::{self, SpawnKey},
    },
};

use super::{
    create::{Creator, create_spawned},
    waits::explain_waits,
};

/// The most children of which an agent asks at once.
pub const MAX_CHILDREN: usize = Question::MAX_SESSIONS;

/// How much of a prompt becomes the title of a session that has none, in characters.
const TITLE_OF_PROMPT: usize = 100;

/// What creating sessions requires of the creator.
const CREATES_SESSIONS: Scope = Scope { area: Area::Sessions, write: true };

/// A session that an agent asks for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewChildSession)]
pub struct SpawnInput {
    /// The token of the lease under which the agent holds the task.
    pub lease_token: i64,
    /// The agent's own id of the request, another one for each session of the task. A request that is repeated creates
    /// no second session.
    #[schema(min_length = 1, max_length = 200)]
    pub request_id: String,
    /// The prompt for the agent of the new session, which knows nothing else of the work of this one.
    #[schema(min_length = 1, max_length = 100_000)]
    pub prompt: String,
    /// A short description of the work. Default: the beginning of the prompt.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    pub title: Option<String>,
}

/// A session that an agent asks for, within all limits.
#[derive(Clone, Debug)]
pub struct SpawnDraft {
    lease_token: i64,
    request_id: String,
    prompt: String,
    title: Option<String>,
}

impl SpawnDraft {
    /// Parses what was sent. Refuses all wrong fields at once.
    pub fn parse(input: SpawnInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let has_length = (1..=200).contains(&input.request_id.chars().count());
        if !has_length || input.request_id.contains('\0') {
            refusals.add("request_id", "must have 1 to 200 characters");
        }
        let prompt = refusals.check("prompt", fields::parse_prompt(&input.prompt)).unwrap_or_default();
        let title = input.title.and_then(|title| refusals.check("title", fields::parse_title(&title)));
        refusals.into_result()?;
        Ok(Self { lease_token: input.lease_token, request_id: input.request_id, prompt, title })
    }
}

/// A session that an agent asked for.
#[derive(Clone, Debug)]
pub struct SpawnedChild {
    pub child: ChildState,
    /// Whether this request created it, and not an earlier one.
    pub is_new: bool,
}

/// Creates a session below that of a task and starts it, on behalf of the creator of the latter: it works in the same
/// environment and workspace, and may do no more.
pub async fn spawn_child(
    sessions: &SessionServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    draft: SpawnDraft,
) -> Result<SpawnedChild> {
    let owner = find_held_task(sessions, agent, task, draft.lease_token).await?;
    check_trust(sessions, owner.tenant_id, agent).await?;
    let now = sessions.clock.now();
    let parent = SessionKey::new(owner.tenant_id, owner.session_id);
    let parent = store::find_session(&sessions.db, parent, now).await?.session;
    check_creator(&sessions.db, owner.tenant_id, &parent.created_by, CREATES_SESSIONS, now).await?;
    let key = SpawnKey { task_id: task, lease_token: draft.lease_token, request_id: draft.request_id.clone() };
    let creator = Creator { tenant_id: owner.tenant_id, actor: parent.created_by.clone(), by: agent.into() };
    let (id, is_new) = create_spawned(sessions, &creator, child_of(&parent, draft), &key).await?;
    let mut children = read_children(sessions, owner.tenant_id, owner.session_id, &[id]).await?;
    let child = children.pop().ok_or_else(|| Error::session_not_found(id))?;
    Ok(SpawnedChild { child, is_new })
}

/// The states of children of the session of a task, in the order in which they are asked for.
pub async fn read_spawned(
    sessions: &SessionServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    lease_token: i64,
    ids: &[SessionId],
) -> Result<Vec<ChildState>> {
    let owner = find_held_task(sessions, agent, task, lease_token).await?;
    check_trust(sessions, owner.tenant_id, agent).await?;
    let children = read_children(sessions, owner.tenant_id, owner.session_id, ids).await?;
    match ids.iter().find(|id| !children.iter().any(|child| child.id == **id)) {
        Some(missing) => Err(Error::session_not_found(*missing)),
        None => Ok(children),
    }
}

/// The states of those of the sessions that are children of this one, in the given order.
pub async fn read_children(
    sessions: &SessionServices,
    tenant_id: TenantId,
    parent: SessionId,
    ids: &[SessionId],
) -> Result<Vec<ChildState>> {
    let mut found = store::find_all(&sessions.db, tenant_id, ids, sessions.clock.now()).await?;
    found.retain(|one| one.session.lineage.parent_id == Some(parent));
    explain_waits(sessions, tenant_id, &mut found).await?;
    let ordered = ids.iter().filter_map(|id| found.iter().find(|one| one.session.id == *id));
    Ok(ordered.map(|one| ChildState::of(&one.session, one.queue.as_ref())).collect())
}

async fn check_trust(sessions: &SessionServices, tenant_id: TenantId, agent: &AgentCaller) -> Result<()> {
    let mut tx = sessions.db.tenant(tenant_id).await?;
    let trusted = is_trusted(&mut tx, tenant_id, agent).await?;
    tx.commit().await?;
    if trusted {
        return Ok(());
    }
    Err(Error::new(Code::SpawnForbidden, "The tenant does not trust this agent to create sessions."))
}

/// The session that an agent asks for. Everything but what it is to do is that of its parent: its rules must not be
/// laxer.
fn child_of(parent: &Session, draft: SpawnDraft) -> SessionDraft {
    let environment = match &parent.spec.environment {
        Some(named) => EnvironmentChoice::Pinned(named.clone()),
        None => EnvironmentChoice::None,
    };
    let title = draft.title.unwrap_or_else(|| title_of(&draft.prompt, &parent.spec.title));
    let spec = SessionSpec {
        title,
        description: None,
        initial_prompt: draft.prompt,
        environment: None,
        metadata: serde_json::Map::new(),
        ..parent.spec.clone()
    };
    SessionDraft { spec, parent_id: Some(parent.id), environment, start: true }
}

/// The first line of the prompt, where it can be a title.
fn title_of(prompt: &str, parent: &str) -> String {
    let line: String = prompt.lines().next().unwrap_or_default().chars().take(TITLE_OF_PROMPT).collect();
    let of_parent = || format!("Part of: {parent}").chars().take(200).collect();
    fields::parse_title(&line).unwrap_or_else(|_| of_parent())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        kernel::{actor::Actor, clock::Time},
        sessions::{NewLineage, draft::SessionInput},
    };

    fn input() -> SpawnInput {
        SpawnInput { lease_token: 1, request_id: "1".into(), prompt: " Do a part.\nNow. ".into(), title: None }
    }

    #[test]
    fn every_wrong_field_of_a_request_is_named() {
        assert!(SpawnDraft::parse(input()).is_ok());
        let long = "x".repeat(201);
        let wrong = SpawnInput { request_id: long.clone(), prompt: " ".into(), title: Some(long), ..input() };
        let error = SpawnDraft::parse(wrong).unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["request_id", "prompt", "title"]);
    }

    #[test]
    fn a_child_may_do_no_more_than_its_parent() {
        let rules = json!({"agent": "BUILDER", "permissions": {"edit": "ask"}, "network": {"mode": "none"}});
        let parent = SessionDraft::parse(SessionInput {
            title: "The whole".into(),
            initial_prompt: "Do all.".into(),
            agent_config: rules.as_object().cloned(),
            max_duration_seconds: Some(60),
            memory_limit_mb: Some(512),
            metadata: json!({"a2a": {"context_id": "1"}}).as_object().cloned(),
            ..Default::default()
        });
        let (actor, lineage) = (Actor::system_part("test"), NewLineage::root_lineage(None));
        let parent = Session::new(TenantId::new(), parent.unwrap().spec, lineage, actor, Time::default());
        let child = child_of(&parent, SpawnDraft::parse(input()).unwrap());
        assert_eq!(child.spec.agent_config, parent.spec.agent_config);
        assert_eq!((child.spec.max_duration_seconds, child.spec.memory_limit_mb), (60, Some(512)));
        assert_eq!((child.spec.title.as_str(), child.spec.initial_prompt.as_str()), ("Do a part.", "Do a part.\nNow."));
        assert!(child.start && child.spec.metadata.is_empty() && child.environment == EnvironmentChoice::None);
        assert_eq!(child.parent_id, Some(parent.id));
    }

    #[test]
    fn a_prompt_whose_first_line_is_no_title_is_named_after_the_parent() {
        assert_eq!(title_of("Fix it.\nAll of it.", "The whole"), "Fix it.");
        assert_eq!(title_of("untitled", "The whole"), "Part of: The whole");
    }
}
