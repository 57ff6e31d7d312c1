//! `PATCH /agents/{id}`: changes an agent of the tenant or its state.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    agents::registry::{self, AgentType, Capability, draft::AgentInput, service},
    app::App,
    kernel::id::AgentId,
};
use utoipa::ToSchema;

use crate::{
    agents::view::AgentView,
    http::{
        problem::HandlerResult,
        query::double_option,
        request::{Caller, Json, Lead, PathId},
        version::{IfMatch, VersionedJson},
    },
};

/// The changes to an agent. Absent fields keep their value; null removes a value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentPatch {
    /// The new name, unique in the tenant.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    name: Option<String>,
    /// The kind of work that the agent is made for.
    agent_type: Option<AgentType>,
    /// A description for people.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Option<Option<String>>,
    /// The capabilities of the agent. Replaces all of them.
    #[schema(value_type = Option<Vec<Capability>>)]
    capabilities: Option<Vec<String>>,
    /// Further skills, as free words. Replaces all of them.
    #[schema(max_items = 100)]
    skills: Option<Vec<String>>,
    /// The largest number of concurrent sessions.
    #[schema(minimum = 1, maximum = 50)]
    capacity: Option<i64>,
    /// The URL at which the platform calls the agent.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    endpoint_url: Option<Option<String>>,
    /// The secret that authenticates the platform at the agent. It is stored encrypted and never returned.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, write_only)]
    endpoint_secret: Option<Option<String>>,
    /// The version of the agent's software.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    version: Option<Option<String>>,
    /// Free-form data, at most 16 KiB as JSON. Replaces the stored data.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// `maintenance` stops new work; `active` allows it again, also while the agent is draining.
    state: Option<registry::State>,
    /// Whether a lead trusts the agent: it leaves probation, and takes the sessions of everybody in the tenant.
    trusted: Option<bool>,
    /// Whether the agent passed the conformance suite, now.
    conformance_passed: Option<bool>,
}

/// Update an agent
///
/// Changes an agent of the caller's tenant, or stops and allows new work for it. An admin may change the state and the
/// trust of an agent of the platform. Requires the role lead.
#[utoipa::path(patch, path = "/api/v1/agents/{id}", operation_id = "patch_agent", tag = "agents", request_body = AgentPatch,
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to change.")),
    responses((status = 200, description = "The updated agent.", body = AgentView,
        headers(("ETag" = String, description = "The new version of the object.")))))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<AgentId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<AgentPatch>,
) -> HandlerResult<VersionedJson<AgentView>> {
    let input = AgentInput {
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
        trusted: sent.trusted,
        conformance_passed: sent.conformance_passed,
    };
    let sent = service::parse_agent_patch(&app, input)?;
    Ok(VersionedJson(Box::pin(service::patch_agent(&app, &caller, id, sent, version)).await?.into()))
}
