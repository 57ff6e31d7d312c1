//! `POST /agents/external/{id}/tasks/{task_id}/secrets`: hands the secrets of a task to the holder of its lease.

use axum::{Json as JsonResponse, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    agents::eap::server::secrets,
    app::App,
    identity::secrets::{
        ModelProvider, SecretKind, SecretPhase, SecretScope,
        service::{RevealedSecret, RevealedSecrets},
    },
};
use utoipa::ToSchema;

use crate::{
    eap::task::AgentTask,
    http::{problem::HandlerResult, request::Json},
};

/// A request for the secrets of a task.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretsRequest {
    /// The token of the lease under which the agent holds the task.
    lease_token: i64,
}

/// The secrets of a task.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskSecrets {
    /// The secrets that the environment of the task names, in its order.
    secrets: Vec<TaskSecret>,
    /// The names for which nobody has set a secret.
    missing: Vec<String>,
}

/// A secret with its value.
#[derive(Serialize, ToSchema)]
struct TaskSecret {
    /// The name of the secret, which is that of a variable.
    name: String,
    /// The value.
    value: String,
    /// The kind of owner of the secret.
    scope: SecretScope,
    /// Which part of the session may know the secret.
    phase: SecretPhase,
    /// What the secret is used for.
    kind: SecretKind,
    /// The git host that the secret is for. Absent unless its kind is `git`.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// The name to log in with at the git host. Absent unless its kind is `git`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The model provider that the secret is a key of. Absent unless its kind is `provider`.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<ModelProvider>,
}

impl From<RevealedSecret> for TaskSecret {
    fn from(RevealedSecret { secret, value }: RevealedSecret) -> Self {
        Self {
            value,
            scope: secret.owner.scope(),
            phase: secret.phase,
            kind: secret.used_as.kind(),
            host: secret.used_as.host().map(str::to_owned),
            username: secret.used_as.username().map(str::to_owned),
            provider: secret.used_as.provider(),
            name: secret.name,
        }
    }
}

impl From<RevealedSecrets> for TaskSecrets {
    fn from(revealed: RevealedSecrets) -> Self {
        let RevealedSecrets { secrets, missing } = revealed;
        Self { secrets: secrets.into_iter().map(TaskSecret::from).collect(), missing }
    }
}

/// Receive the secrets of a task
///
/// Returns the values of the secrets that the environment of a task names, to an agent that the session's tenant trusts
/// and that holds the lease. It may be repeated until the first report with content under that lease.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/{task_id}/secrets", operation_id = "receive_external_secrets",
    tag = "external agents", request_body = SecretsRequest,
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("task_id" = uuid::Uuid, Path, description = "The id of the task.")),
    security(("agent_token" = [])), responses((status = 200, description = "The secrets with their values.", body = TaskSecrets)))]
pub(super) async fn receive(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    Json(sent): Json<SecretsRequest>,
) -> HandlerResult<JsonResponse<TaskSecrets>> {
    Ok(JsonResponse(secrets::issue_secrets(&app, &agent, task, sent.lease_token).await?.into()))
}
