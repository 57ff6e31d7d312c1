//! `PATCH /environments/{id}`: changes an environment, which makes a new version of it.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;
use shared::{
    agents::environments::{
        draft::EnvironmentInput,
        service,
        spec::{
            EnvironmentAgent, EnvironmentMcpServer, EnvironmentRepository, MinimumIsolation, NetworkPolicy, SetupScript,
        },
    },
    app::App,
    kernel::id::EnvironmentId,
};
use utoipa::ToSchema;

use crate::{
    environments::view::EnvironmentView,
    http::{
        problem::HandlerResult,
        query::double_option,
        request::{Caller, Json, Lead, PathId},
        version::{IfMatch, VersionedJson},
    },
};

/// The changes to an environment. Absent fields keep their value; null removes a value; lists and objects are replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentPatch {
    /// The new name, unique in the tenant.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: Option<String>,
    /// Whether sessions that name no environment work in this one. It takes the mark from the environment that has it.
    is_default: Option<bool>,
    /// The repositories.
    #[schema(max_items = 10)]
    repositories: Option<Vec<EnvironmentRepository>>,
    /// The script that prepares the workspace before the agent starts.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<SetupScript>)]
    setup: Option<Option<SetupScript>>,
    /// Variables of the agent and of the set-up script. They are no place for secrets: members can read them.
    variables: Option<BTreeMap<String, String>>,
    /// The names of the secrets that sessions receive.
    #[schema(max_items = 50)]
    secrets: Option<Vec<String>>,
    /// What the network of a session reaches.
    network: Option<NetworkPolicy>,
    /// MCP servers that the agent can use.
    #[schema(max_items = 20)]
    mcp_servers: Option<Vec<EnvironmentMcpServer>>,
    /// Text that is added to the agent's instructions.
    #[schema(max_length = 20_000)]
    rules: Option<String>,
    /// The largest number of CPUs.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<f64>, minimum = 0.1, maximum = 8)]
    cpu: Option<Option<f64>>,
    /// The largest amount of memory in MiB.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<i64>, minimum = 100, maximum = 8192)]
    memory_mb: Option<Option<i64>>,
    /// The weakest isolation that sessions accept.
    minimum_isolation: Option<MinimumIsolation>,
    /// The program that works, and its settings.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<EnvironmentAgent>)]
    agent: Option<Option<EnvironmentAgent>>,
}

impl From<EnvironmentPatch> for EnvironmentInput {
    fn from(sent: EnvironmentPatch) -> Self {
        Self {
            name: sent.name,
            is_default: sent.is_default,
            repositories: sent.repositories,
            setup: sent.setup,
            variables: sent.variables,
            secrets: sent.secrets,
            network: sent.network,
            mcp_servers: sent.mcp_servers,
            rules: sent.rules,
            cpu: sent.cpu,
            memory_mb: sent.memory_mb,
            minimum_isolation: sent.minimum_isolation,
            agent: sent.agent,
        }
    }
}

/// Update an environment
///
/// Changes an environment. Sessions that are created later work with the new version; the others keep theirs. Requires
/// the role lead.
#[utoipa::path(patch, path = "/api/v1/environments/{id}", operation_id = "patch_environment", tag = "environments",
    request_body = EnvironmentPatch,
    params(("id" = uuid::Uuid, Path, description = "The id of the environment."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to change.")),
    responses((status = 200, description = "The updated environment.", body = EnvironmentView,
        headers(("ETag" = String, description = "The new version of the object.")))))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<EnvironmentId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<EnvironmentPatch>,
) -> HandlerResult<VersionedJson<EnvironmentView>> {
    let patch = service::parse_environment(&app, sent.into())?;
    Ok(VersionedJson(service::update_environment(&app, &caller, id, patch, version).await?.into()))
}
