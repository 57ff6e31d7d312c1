//! `POST /agents`: creates an agent of the tenant.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    agents::registry::{AgentType, Capability, Kind, draft::AgentInput, service},
    app::App,
};
use utoipa::ToSchema;

use crate::{
    agents::view::{AgentView, ProbeView},
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member},
        version::{Created, Versioned},
    },
};

/// An agent to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAgent {
    /// The name, unique in the tenant and not in the form of an id.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    name: String,
    /// The kind of work that the agent is made for.
    agent_type: AgentType,
    /// The protocol: `eap` or `a2a`. The other kinds belong to the platform.
    kind: Kind,
    /// The capabilities of the agent.
    #[schema(value_type = Vec<Capability>)]
    capabilities: Vec<String>,
    /// Further skills, as free words that count in routing.
    #[schema(max_items = 100)]
    #[serde(default)]
    skills: Vec<String>,
    /// The URL at which the platform calls the agent. Required for `a2a`; without it an `eap` agent pulls its
    /// tasks.
    #[schema(max_length = 2000)]
    endpoint_url: Option<String>,
    /// The secret that authenticates the platform at the agent. It is stored encrypted and never returned.
    #[schema(min_length = 1, max_length = 1000, write_only)]
    endpoint_secret: Option<String>,
    /// The largest number of concurrent sessions. Default: 5.
    #[schema(minimum = 1, maximum = 50)]
    capacity: Option<i64>,
    /// A description for people.
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// The version of the agent's software.
    #[schema(min_length = 1, max_length = 100)]
    version: Option<String>,
    /// Free-form data, at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// An agent that was created.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedAgent {
    #[serde(flatten)]
    agent: AgentView,
    /// The token that an `eap` agent sends as `X-Agent-Token`. It is shown only once and not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<String>,
    /// Whether the agent's server answered: the card of an `a2a` agent, a signed ping. Only for agents that the
    /// platform calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<ProbeView>,
}

impl Versioned for CreatedAgent {
    fn location(&self) -> String {
        self.agent.location()
    }

    fn version(&self) -> Option<i64> {
        self.agent.version()
    }

    fn has_secret(&self) -> bool {
        self.auth_token.is_some()
    }
}

/// Create an agent
///
/// Registers an agent of the caller's tenant. An agent of the kind `eap` gets a token, which is shown only once. An
/// agent that a member registers takes only the member's own sessions until a lead trusts it. Requires the role member.
#[utoipa::path(post, path = "/api/v1/agents", operation_id = "create_agent", tag = "agents", request_body = NewAgent,
    responses((status = 201, description = "The created agent.", body = CreatedAgent,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Member>,
    Json(new): Json<NewAgent>,
) -> HandlerResult<Created<CreatedAgent>> {
    let input = AgentInput {
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
        ..AgentInput::default()
    };
    let sent = service::parse_new_agent(&app, new.kind, input)?;
    let created = Box::pin(service::create(&app, &caller, new.kind, sent)).await?;
    let probe = created.probe.map(ProbeView::from);
    Ok(Created(CreatedAgent { agent: created.details.into(), auth_token: created.token, probe }))
}
