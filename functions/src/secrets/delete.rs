//! `DELETE /secrets/{scope}/{name}`: deletes a secret.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, identity::secrets::service};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Member},
    },
    secrets::view::NamedSecret,
};

/// Delete a secret
///
/// Deletes a secret. Sessions that need it fail from now on. Requires the role member for the caller's own secrets, and
/// the role lead for those of the tenant and of environments.
#[utoipa::path(delete, path = "/api/v1/secrets/{scope}/{name}", operation_id = "delete_secret", tag = "secrets",
    params(("scope" = String, Path, description = "`tenant`, `user` for the caller's own secrets, or the id of an environment."),
        ("name" = String, Path, description = "The name of the secret.")),
    responses((status = 204, description = "The secret was deleted.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Member>,
    NamedSecret(scope, name): NamedSecret,
) -> HandlerResult<StatusCode> {
    service::delete_secret(&app, &caller, scope, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
