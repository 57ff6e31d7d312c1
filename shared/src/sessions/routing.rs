//! Which agents a session may be routed to.

use crate::{
    agents::{
        registry::{
            Agent, AgentType,
            requirements::RoutingRequirements,
            route::{self, Ranking},
        },
        services::AgentServices,
    },
    kernel::{error::ValidationErrors, session_type::SessionType},
};

use super::Session;

/// Ranks the agents that a tenant sees for a session.
pub fn rank_agents<'a>(services: &AgentServices, agents: &'a [Agent], session: &Session) -> Ranking<'a> {
    // The configuration was checked when the session was created.
    let sent = RoutingRequirements::of_config(&session.spec.agent_config, &mut ValidationErrors::default());
    let requirements = complete_requirements(services, agents, sent, session.spec.session_type);
    route::rank_agents(agents, &requirements, session.run.lost_agent_id, services.clock.now())
}

/// The requirements of a session, completed by what its type suggests and the configuration prefers.
pub fn complete_requirements(
    services: &AgentServices,
    agents: &[Agent],
    mut requirements: RoutingRequirements,
    session_type: SessionType,
) -> RoutingRequirements {
    requirements.preferred_agent_type = requirements.preferred_agent_type.or(Some(usual_agent_type(session_type)));
    if requirements.preferred_agent_ids.is_empty() {
        let default = services.runtimes.default.as_ref();
        let preferred = agents.iter().filter(|one| one.is_of_platform() && Some(&one.name) == default);
        requirements.preferred_agent_ids = preferred.map(|one| one.id).collect();
    }
    requirements
}

/// The type of agent that usually does a type of session.
fn usual_agent_type(session_type: SessionType) -> AgentType {
    match session_type {
        SessionType::Planning => AgentType::Architect,
        SessionType::Execution => AgentType::Implementer,
        SessionType::Review => AgentType::Reviewer,
        SessionType::Debug => AgentType::Debugger,
        SessionType::Integration => AgentType::Integrator,
    }
}
