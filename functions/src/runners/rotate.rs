//! `POST /runners/{id}/credential/rotate`: replaces the credential of a runner.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{agents::runners::service, app::App, identity::auth::runner_credentials::CREDENTIAL_OVERLAP};
use utoipa::ToSchema;

use crate::http::{problem::HandlerResult, request::Runner};

/// A new credential of a runner.
#[derive(Serialize, ToSchema)]
pub(super) struct NewRunnerCredential {
    /// The credential. It is shown only once.
    credential: String,
    /// The seconds for which the previous credential stays valid.
    overlap_seconds: i64,
}

/// Rotate the credential of a runner
///
/// Issues a new credential for the runner, which is valid for 30 days. The previous one stays valid for ten minutes.
#[utoipa::path(post, path = "/api/v1/runners/{id}/credential/rotate", operation_id = "rotate_runner_credential",
    tag = "runners", params(("id" = uuid::Uuid, Path, description = "The id of the runner.")),
    security(("runner_credential" = [])),
    responses((status = 200, description = "The new credential.", body = NewRunnerCredential)))]
pub(super) async fn rotate(State(app): State<App>, Runner(runner): Runner) -> HandlerResult<Json<NewRunnerCredential>> {
    let credential = service::rotate_credential(&app, &runner).await?;
    Ok(Json(NewRunnerCredential { credential, overlap_seconds: CREDENTIAL_OVERLAP.num_seconds() }))
}
