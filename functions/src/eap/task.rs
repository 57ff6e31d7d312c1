//! The task in a path.

use axum::{extract::FromRequestParts, http::request::Parts};
use shared::{app::App, identity::auth::AgentCaller, kernel::id::ExternalTaskId};

use crate::http::{
    problem::ApiError,
    request::{TaskAgent, path},
};

/// An agent, and the task that the path names. Whether it is the agent's own is for whoever looks at the task.
pub(super) struct AgentTask(pub AgentCaller, pub ExternalTaskId);

impl FromRequestParts<App> for AgentTask {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let TaskAgent(caller) = TaskAgent::from_request_parts(parts, app).await?;
        Ok(Self(caller, path(parts, app, "task_id", "is not a uuid").await?))
    }
}
