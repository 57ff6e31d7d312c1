//! `GET /login`: with which issuers people may log in to the dashboard. Names no secret and nobody. It asks for no
//! credential; one that is sent all the same is looked at as everywhere.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::Serialize;
use shared::{app::App, auth::oidc::browser::LoginIssuer};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::problem::Problems;

/// `/api/v1/login`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(login))
}

#[derive(Serialize, ToSchema)]
struct Logins {
    /// In the order in which they are to be shown.
    issuers: Vec<LoginIssuer>,
}

#[utoipa::path(get, path = "/api/v1/login", operation_id = "get_login", tag = "users", security(()),
    responses((status = 200, description = "The issuers with which people may log in; it may be kept for a minute.", body = Logins), Problems))]
async fn login(State(app): State<App>) -> impl IntoResponse {
    // It changes with a new start of the process alone, and is the same for everybody.
    ([(header::CACHE_CONTROL, "public, max-age=60")], Json(Logins { issuers: app.oidc.logins() }))
}
