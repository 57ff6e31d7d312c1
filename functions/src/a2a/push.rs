//! Push notifications of our own are not offered, as the card says: every operation on them is refused with that word.

use a2a::A2AError;
use axum::extract::State;
use shared::{a2a::service, app::App};

use super::{
    refusal::{Answer, Refusals},
    request::{At, TaskId},
};
use crate::request::{Member, Viewer};

#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks/{id}/pushNotificationConfigs", operation_id = "a2a_list_push_configs", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The task's id.")),
    responses((status = 200, description = "Never: it is not supported."), Refusals))]
pub(super) async fn list(State(app): State<App>, caller: At<Viewer>, TaskId(id): TaskId) -> Answer<()> {
    service::get(&app, &caller, &id).await?;
    Err(A2AError::push_notification_not_supported().into())
}

#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/tasks/{id}/pushNotificationConfigs", operation_id = "a2a_create_push_config", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The task's id.")),
    responses((status = 200, description = "Never: it is not supported."), Refusals))]
pub(super) async fn create(State(app): State<App>, caller: At<Member>, TaskId(id): TaskId) -> Answer<()> {
    service::get(&app, &caller, &id).await?;
    Err(A2AError::push_notification_not_supported().into())
}
