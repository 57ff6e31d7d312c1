//! What an offered agent looks like on the wire: what it can do and how it does, never where it is or for whom it works.

use serde::Serialize;
use shared::{
    agent::{AgentType, Availability, Kind, standing::Tier, store::Listing},
    clock::Time,
    id::AgentId,
};
use utoipa::ToSchema;

use crate::agents::{performance::Interval, view::dollars};

/// An agent that another tenant offers.
#[derive(Serialize, ToSchema)]
#[schema(as = Listing)]
pub(super) struct ListingView {
    id: AgentId,
    name: String,
    publisher: Publisher,
    kind: Kind,
    agent_type: AgentType,
    description: Option<String>,
    capabilities: Vec<String>,
    skills: Vec<String>,
    /// Of its software.
    version: Option<String>,
    /// Measured, over the work of all tenants.
    success: Success,
    /// In milliseconds, of its newest 200 results; null without any.
    p50_duration_ms: Option<f64>,
    p95_duration_ms: Option<f64>,
    /// In dollars, as decimal text; null without a success.
    cost_per_success_usd: Option<String>,
    tier: Tier,
    availability: Availability,
    /// Whether the caller's tenant uses it.
    enabled: bool,
}

#[derive(Serialize, ToSchema)]
struct Publisher {
    name: String,
}

/// How much of an agent's work succeeded; a partial success is half of one.
#[derive(Serialize, ToSchema)]
#[schema(as = MeasuredSuccess)]
struct Success {
    finished: i64,
    /// 0..1; null without a result.
    rate: Option<f64>,
    interval: Option<Interval>,
}

impl ListingView {
    pub(super) fn of(listing: Listing, now: Time) -> Self {
        let Listing { agent, publisher, enabled, p50_ms, p95_ms } = listing;
        let figures = agent.figures;
        Self {
            id: agent.id,
            publisher: Publisher { name: publisher },
            kind: agent.kind,
            agent_type: agent.agent_type,
            success: Success {
                finished: figures.finished,
                rate: figures.success_rate(),
                interval: Interval::of(figures.succeeded, figures.finished),
            },
            p50_duration_ms: p50_ms,
            p95_duration_ms: p95_ms,
            cost_per_success_usd: figures.cost_per_success().map(dollars),
            tier: agent.tier(),
            availability: agent.availability(now),
            enabled,
            name: agent.name,
            description: agent.description,
            capabilities: agent.capabilities,
            skills: agent.skills,
            version: agent.software_version,
        }
    }
}
