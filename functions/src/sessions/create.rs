//! `POST /sessions`: makes a session, and starts it when asked.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    session::{
        draft::{Draft, Raw},
        service,
        workspace::Workspace,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Creator, Json, Member},
    sessions::view::SessionView,
    version::Created,
};

/// A session to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSession {
    /// What is to be done, in a few words; words that say nothing are refused.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
    #[schema(value_type = Option<shared::session::SessionType>)]
    session_type: Option<String>,
    /// 0 to 4, or critical, high, medium, low, deferred. 2 when absent.
    #[schema(value_type = Option<PriorityInput>)]
    priority: Option<Value>,
    /// What the agent is told.
    #[schema(min_length = 1, max_length = 10000)]
    initial_prompt: String,
    /// `provider/model`, `registry/<name>@<alias or version>`, or `experiment/<name>`; the agent's own default when absent.
    #[schema(max_length = 200)]
    model_identifier: Option<String>,
    /// Handed to the agent; `agent` names it.
    #[schema(value_type = Option<Object>)]
    agent_config: Option<Map<String, Value>>,
    workspace: Option<Workspace>,
    /// 3600 when absent. Counted while it runs.
    #[schema(minimum = 60, maximum = 86400)]
    max_duration_seconds: Option<i64>,
    #[schema(minimum = 0.1, maximum = 8)]
    cpu_limit: Option<f64>,
    #[schema(minimum = 100, maximum = 8192)]
    memory_limit_mb: Option<i64>,
    #[schema(format = Uuid)]
    parent_id: Option<String>,
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
    /// At most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Start it at once.
    #[serde(default)]
    start: bool,
}

/// A priority as it may be sent.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its documentation is used")]
pub(super) enum PriorityInput {
    Level(i16),
    Word(PriorityWord),
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PriorityWord {
    Critical,
    High,
    Medium,
    Low,
    Deferred,
}

#[utoipa::path(post, path = "/api/v1/sessions", operation_id = "create_session", tag = "sessions", request_body = NewSession,
    params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It was made.", body = SessionView,
        headers(("Location" = String, description = "Its place."), ("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Member>,
    Json(new): Json<NewSession>,
) -> Answer<Created<SessionView>> {
    let start = new.start;
    let draft = Draft::parse(new.into())?;
    let found = service::open(&app, &caller, draft, start).await?;
    Ok(Created(SessionView::of(&app, found)))
}

impl From<NewSession> for Raw {
    fn from(new: NewSession) -> Self {
        Self {
            title: new.title,
            description: new.description,
            session_type: new.session_type,
            priority: new.priority,
            initial_prompt: new.initial_prompt,
            model_identifier: new.model_identifier,
            agent_config: new.agent_config,
            workspace: new.workspace,
            max_duration_seconds: new.max_duration_seconds,
            cpu_limit: new.cpu_limit,
            memory_limit_mb: new.memory_limit_mb,
            parent_id: new.parent_id,
            tags: new.tags,
            metadata: new.metadata,
        }
    }
}
