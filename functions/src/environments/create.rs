//! `POST /environments`: creates an environment at version 1.

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
};
use utoipa::ToSchema;

use crate::{
    environments::view::EnvironmentView,
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Lead},
        version::Created,
    },
};

/// An environment to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnvironment {
    /// The name, unique in the tenant.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    /// Whether sessions that name no environment work in this one. Default: false.
    is_default: Option<bool>,
    /// The repositories. The first without a path is the work tree.
    #[schema(max_items = 10)]
    repositories: Option<Vec<EnvironmentRepository>>,
    /// The script that prepares the workspace before the agent starts.
    setup: Option<SetupScript>,
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
    #[schema(minimum = 0.1, maximum = 8)]
    cpu: Option<f64>,
    /// The largest amount of memory in MiB.
    #[schema(minimum = 100, maximum = 8192)]
    memory_mb: Option<i64>,
    /// The weakest isolation that sessions accept. Default: `none`.
    minimum_isolation: Option<MinimumIsolation>,
    /// The program that works, and its settings.
    agent: Option<EnvironmentAgent>,
}

impl From<NewEnvironment> for EnvironmentInput {
    fn from(new: NewEnvironment) -> Self {
        Self {
            name: Some(new.name),
            is_default: new.is_default,
            repositories: new.repositories,
            setup: new.setup.map(Some),
            variables: new.variables,
            secrets: new.secrets,
            network: new.network,
            mcp_servers: new.mcp_servers,
            rules: new.rules,
            cpu: new.cpu.map(Some),
            memory_mb: new.memory_mb.map(Some),
            minimum_isolation: new.minimum_isolation,
            agent: new.agent.map(Some),
        }
    }
}

/// Create an environment
///
/// Creates an environment at version 1. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/environments", operation_id = "create_environment", tag = "environments",
    request_body = NewEnvironment,
    responses((status = 201, description = "The created environment.", body = EnvironmentView,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(new): Json<NewEnvironment>,
) -> HandlerResult<Created<EnvironmentView>> {
    let draft = service::parse_environment(&app, new.into())?;
    Ok(Created(service::create_environment(&app, &caller, draft).await?.into()))
}
