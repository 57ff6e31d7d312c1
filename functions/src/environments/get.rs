//! `GET /environments/{id}`: one environment.

use axum::extract::State;
use shared::{agents::environments::service, app::App, kernel::id::EnvironmentId};

use crate::{
    environments::view::EnvironmentView,
    http::{
        problem::HandlerResult,
        request::{Caller, Member, PathId},
        version::VersionedJson,
    },
};

/// Get an environment
///
/// Returns one environment at its newest version. Requires the role member.
#[utoipa::path(get, path = "/api/v1/environments/{id}", operation_id = "get_environment", tag = "environments",
    params(("id" = uuid::Uuid, Path, description = "The id of the environment.")),
    responses((status = 200, description = "The environment.", body = EnvironmentView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Member>,
    PathId(id): PathId<EnvironmentId>,
) -> HandlerResult<VersionedJson<EnvironmentView>> {
    Ok(VersionedJson(service::get_environment(&app, &caller, id).await?.into()))
}
