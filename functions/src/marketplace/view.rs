//! The representation of a shared agent, without its endpoint and without the work of other tenants.

use serde::Serialize;
use shared::{
    agents::{
        marketplace::store::Listing,
        registry::{AgentType, Availability, Kind, performance::Tier},
    },
    kernel::{clock::Time, id::AgentId, usage::format_mean_usd},
};
use utoipa::ToSchema;

use crate::agents::performance::Interval;

/// An agent that another tenant shares.
#[derive(Serialize, ToSchema)]
#[schema(as = Listing)]
pub(super) struct ListingView {
    /// The id of the agent.
    id: AgentId,
    /// The name of the agent.
    name: String,
    /// The tenant that shares the agent.
    publisher: Publisher,
    /// The protocol that the agent speaks.
    kind: Kind,
    /// The kind of work that the agent is made for.
    agent_type: AgentType,
    /// A description for people.
    description: Option<String>,
    /// The capabilities of the agent.
    capabilities: Vec<String>,
    /// Further skills of the agent, as free words.
    skills: Vec<String>,
    /// The version of the agent's software.
    version: Option<String>,
    /// The measured success over the work of all tenants.
    success: Success,
    /// The median duration of the newest 200 results in milliseconds; null without results.
    p50_duration_ms: Option<f64>,
    /// The 95th percentile of the duration of the newest 200 results in milliseconds; null without results.
    p95_duration_ms: Option<f64>,
    /// The cost per success in US dollars, as decimal text; null without a success.
    cost_per_success_usd: Option<String>,
    /// The performance tier of the agent.
    tier: Tier,
    /// Whether the agent accepts new work.
    availability: Availability,
    /// Whether the caller's tenant has enabled the agent.
    enabled: bool,
}

/// The tenant that shares an agent.
#[derive(Serialize, ToSchema)]
struct Publisher {
    /// The name of the tenant.
    name: String,
}

/// The measured success of an agent.
#[derive(Serialize, ToSchema)]
#[schema(as = MeasuredSuccess)]
struct Success {
    /// The number of finished tasks.
    finished: i64,
    /// The success rate, 0 to 1, in which a partial success counts half; null without results.
    rate: Option<f64>,
    /// The confidence interval of the success rate; null without results.
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
            cost_per_success_usd: figures.cost_per_success().map(format_mean_usd),
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
