//! `GET /agents/stats`: the number of agents that the tenant sees, by property.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    agents::registry::service::{self, AgentCounts},
    app::App,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Viewer},
};

/// The number of agents that the tenant can use: its own, those of the platform, and those that it enabled.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentStats {
    /// The number of agents.
    total: i64,
    /// The number of agents that accept new work now.
    available: i64,
    /// The total capacity of the agents whose capacity is limited.
    capacity: i64,
    /// The number of sessions that the agents work on, over all tenants.
    tasks_in_progress: i64,
    /// The number of agents by status.
    #[schema(value_type = BTreeMap<String, i64>)]
    by_status: BTreeMap<&'static str, i64>,
    /// The number of agents by tier.
    #[schema(value_type = BTreeMap<String, i64>)]
    by_tier: BTreeMap<&'static str, i64>,
    /// The number of agents by load level.
    #[schema(value_type = BTreeMap<String, i64>)]
    by_load_level: BTreeMap<&'static str, i64>,
    /// The number of agents by kind.
    #[schema(value_type = BTreeMap<String, i64>)]
    by_kind: BTreeMap<&'static str, i64>,
}

/// Get agent statistics
///
/// Returns the number of agents by status, tier, load level and kind.
#[utoipa::path(get, path = "/api/v1/agents/stats", operation_id = "agent_stats", tag = "agents",
    responses((status = 200, description = "The statistics.", body = AgentStats)))]
pub(super) async fn stats(State(app): State<App>, caller: Caller<Viewer>) -> HandlerResult<Json<AgentStats>> {
    let AgentCounts { total, by_status, by_tier, by_load_level, by_kind, capacity, tasks_in_progress, available } =
        service::count_agents(&app, &caller).await?;
    Ok(Json(AgentStats { total, available, capacity, tasks_in_progress, by_status, by_tier, by_load_level, by_kind }))
}
