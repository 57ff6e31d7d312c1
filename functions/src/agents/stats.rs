//! `GET /agents/stats`: the agents that the tenant sees, in counts.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    agent::service::{self, Counts},
    app::App,
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Viewer},
};

/// The agents that the tenant sees, in counts: its own, the platform's, and those that it enabled.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentStats {
    total: i64,
    /// Those that get new work now.
    available: i64,
    /// Sessions at once that those may have which have a limit.
    capacity: i64,
    /// Sessions that they work on, of all tenants together.
    tasks_in_progress: i64,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_status: BTreeMap<&'static str, i64>,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_tier: BTreeMap<&'static str, i64>,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_load_level: BTreeMap<&'static str, i64>,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_kind: BTreeMap<&'static str, i64>,
}

#[utoipa::path(get, path = "/api/v1/agents/stats", operation_id = "agent_stats", tag = "agents",
    responses((status = 200, description = "Counts by status, tier, load level and kind.", body = AgentStats), Problems))]
pub(super) async fn stats(State(app): State<App>, caller: Caller<Viewer>) -> Answer<Json<AgentStats>> {
    let Counts { total, by_status, by_tier, by_load_level, by_kind, capacity, tasks_in_progress, available } =
        service::counts(&app, &caller).await?;
    Ok(Json(AgentStats { total, available, capacity, tasks_in_progress, by_status, by_tier, by_load_level, by_kind }))
}
