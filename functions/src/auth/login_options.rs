//! `GET /login`: the issuers at which people may log in. Requires no credential and reveals no secret.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::Serialize;
use shared::{app::App, identity::auth::oidc::browser::LoginIssuer};
use utoipa::ToSchema;

/// The ways to log in.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginOptions {
    /// The issuers, in the order in which a login page shows them.
    issuers: Vec<LoginIssuer>,
}

/// List login options
///
/// Returns the OpenID Connect issuers at which people may log in to the dashboard. The answer may be cached for a
/// minute.
#[utoipa::path(get, path = "/api/v1/login", operation_id = "get_login", tag = "users", security(()),
    responses((status = 200, description = "The issuers.", body = LoginOptions)))]
pub(super) async fn login_options(State(app): State<App>) -> impl IntoResponse {
    // The answer is the same for everybody, and changes only with a restart of the process.
    ([(header::CACHE_CONTROL, "public, max-age=60")], Json(LoginOptions { issuers: app.oidc.login_options() }))
}
