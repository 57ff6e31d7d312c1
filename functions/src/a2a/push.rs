//! Push notifications to clients are not supported, as the card says: every operation on them is rejected.

use a2a::A2AError;

use super::{refusal::HandlerResult, request::At};
use crate::http::request::{Member, Viewer};

fn not_supported() -> HandlerResult<()> {
    Err(A2AError::push_notification_not_supported().into())
}

/// List push notification configurations
///
/// Push notifications to clients are not supported, as the agent card states. The operation exists to answer with the
/// error of the protocol.
#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks/{id}/pushNotificationConfigs", operation_id = "a2a_list_push_configs", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session.")),
    responses((status = 200, description = "Never returned.")))]
pub(super) async fn list(_: At<Viewer>) -> HandlerResult<()> {
    not_supported()
}

/// Create a push notification configuration
///
/// Push notifications to clients are not supported, as the agent card states. The operation exists to answer with the
/// error of the protocol.
#[utoipa::path(post, path = "/api/v1/a2a/{tenant}/tasks/{id}/pushNotificationConfigs", operation_id = "a2a_create_push_config", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session.")),
    responses((status = 200, description = "Never returned.")))]
pub(super) async fn create(_: At<Member>) -> HandlerResult<()> {
    not_supported()
}

/// Get a push notification configuration
///
/// Push notifications to clients are not supported, as the agent card states. The operation exists to answer with the
/// error of the protocol.
#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/tasks/{id}/pushNotificationConfigs/{config}", operation_id = "a2a_get_push_config", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session."), ("config" = String, Path, description = "The id of the configuration.")),
    responses((status = 200, description = "Never returned.")))]
pub(super) async fn get(_: At<Viewer>) -> HandlerResult<()> {
    not_supported()
}

/// Delete a push notification configuration
///
/// Push notifications to clients are not supported, as the agent card states. The operation exists to answer with the
/// error of the protocol.
#[utoipa::path(delete, path = "/api/v1/a2a/{tenant}/tasks/{id}/pushNotificationConfigs/{config}", operation_id = "a2a_delete_push_config", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant."), ("id" = String, Path, description = "The id of the task, which is the id of the session."), ("config" = String, Path, description = "The id of the configuration.")),
    responses((status = 200, description = "Never returned.")))]
pub(super) async fn delete(_: At<Member>) -> HandlerResult<()> {
    not_supported()
}
