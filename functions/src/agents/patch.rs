//! `PATCH /agents/{id}`: changes an agent of the caller's tenant, or holds new work off it.

use axum::extract::State as Given;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    agent::{AgentType, Capability, State, draft::Raw, service},
    app::App,
    id::AgentId,
};
use utoipa::ToSchema;

use crate::{
    agents::view::AgentView,
    problem::{Answer, Problems},
    query::given,
    request::{Caller, Json, Lead, Named},
    version::{IfMatch, One},
};

/// What is to be changed; what is left out stays, and a null takes away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentPatch {
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    name: Option<String>,
    agent_type: Option<AgentType>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Option<Option<String>>,
    #[schema(value_type = Option<Vec<Capability>>)]
    capabilities: Option<Vec<String>>,
    #[schema(max_items = 100)]
    skills: Option<Vec<String>>,
    #[schema(minimum = 1, maximum = 50)]
    capacity: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    endpoint_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, write_only)]
    endpoint_secret: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    version: Option<Option<String>>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// maintenance: it gets nothing new; active: it gets work again, also when it was draining.
    state: Option<State>,
}

#[utoipa::path(patch, path = "/api/v1/agents/{id}", operation_id = "patch_agent", tag = "agents", request_body = AgentPatch,
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "The version that is to be changed.")),
    responses((status = 200, description = "It was changed.", body = AgentView,
        headers(("ETag" = String, description = "Its new version."))), Problems))]
pub(super) async fn patch(
    Given(app): Given<App>,
    caller: Caller<Lead>,
    Named(id): Named<AgentId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<AgentPatch>,
) -> Answer<One<AgentView>> {
    let raw = Raw {
        name: sent.name,
        agent_type: sent.agent_type,
        description: sent.description,
        capabilities: sent.capabilities,
        skills: sent.skills,
        capacity: sent.capacity,
        endpoint_url: sent.endpoint_url,
        endpoint_secret: sent.endpoint_secret,
        software_version: sent.version,
        metadata: sent.metadata,
        state: sent.state,
    };
    let sent = service::read_change(&app, raw)?;
    Ok(One(service::patch(&app, &caller, id, sent, version).await?.into()))
}
