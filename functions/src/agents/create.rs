//! `POST /agents`: makes an agent of the caller's tenant.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    agent::{AgentType, Capability, Kind, draft::Raw, service},
    app::App,
};
use utoipa::ToSchema;

use crate::{
    agents::view::AgentView,
    problem::{Answer, Problems},
    request::{Creator, Json, Lead},
    version::{Created, Object},
};

/// An agent to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAgent {
    /// Unique in the tenant, and no id.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    name: String,
    agent_type: AgentType,
    /// opencode, eap or a2a; the others are the platform's own.
    kind: Kind,
    #[schema(value_type = Vec<Capability>)]
    capabilities: Vec<String>,
    /// Free words that count in routing beside the capabilities.
    #[schema(max_items = 100)]
    #[serde(default)]
    skills: Vec<String>,
    /// Where we call it; required of opencode and a2a. One of the kind eap that has none asks for its work.
    #[schema(max_length = 2000)]
    endpoint_url: Option<String>,
    /// What we prove ourselves with there. It is kept sealed and never answered.
    #[schema(min_length = 1, max_length = 1000, write_only)]
    endpoint_secret: Option<String>,
    /// Sessions at once; 5 when absent.
    #[schema(minimum = 1, maximum = 50)]
    capacity: Option<i64>,
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// Of its software.
    #[schema(min_length = 1, max_length = 100)]
    version: Option<String>,
    /// At most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// An agent that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct NewlyMadeAgent {
    #[serde(flatten)]
    agent: AgentView,
    /// What an agent of the kind eap sends as `X-Agent-Token`. It is shown this once and kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<String>,
}

impl Object for NewlyMadeAgent {
    fn place(&self) -> String {
        self.agent.place()
    }

    fn version(&self) -> Option<i64> {
        self.agent.version()
    }
}

#[utoipa::path(post, path = "/api/v1/agents", operation_id = "create_agent", tag = "agents", request_body = NewAgent,
    params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It was made.", body = NewlyMadeAgent,
        headers(("Location" = String, description = "Its place."), ("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Lead>,
    Json(new): Json<NewAgent>,
) -> Answer<Created<NewlyMadeAgent>> {
    let raw = Raw {
        name: Some(new.name),
        agent_type: Some(new.agent_type),
        description: Some(new.description),
        capabilities: Some(new.capabilities),
        skills: Some(new.skills),
        capacity: new.capacity,
        endpoint_url: Some(new.endpoint_url),
        endpoint_secret: Some(new.endpoint_secret),
        software_version: Some(new.version),
        metadata: new.metadata,
        state: None,
    };
    let sent = service::read_new(&app, new.kind, raw)?;
    let (shown, auth_token) = service::create(&app, &caller, new.kind, sent).await?;
    Ok(Created(NewlyMadeAgent { agent: shown.into(), auth_token }))
}
