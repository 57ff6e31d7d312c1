//! `GET /.well-known/agent-card.json` of a tenant's agent: public.

use axum::{
    Json,
    extract::{Path, State},
};
use shared::{
    a2a::{
        card::{self, BASE},
        service::tenant,
    },
    app::App,
};

use super::{
    refusal::{Answer, Refusals},
    request::Base,
};

#[utoipa::path(get, path = "/api/v1/a2a/{tenant}/.well-known/agent-card.json", operation_id = "a2a_agent_card", tag = "a2a", security(()),
    params(("tenant" = String, Path, description = "The slug of the tenant.")),
    responses((status = 200, description = "The card.", body = Object), Refusals))]
pub(super) async fn card(
    State(app): State<App>,
    Path(named): Path<String>,
    Base(base): Base,
) -> Answer<Json<a2a::AgentCard>> {
    let (_, slug) = tenant(&app, &named).await?;
    Ok(Json(card::card(&format!("{base}{BASE}/{slug}"), &slug, app.settings.streams)))
}
