//! The registration of the platform's agents.

use crate::{
    agents::services::AgentServices,
    kernel::{error::Result, id::AgentId},
};

use super::{Capability, Kind};

/// Registers the platform's agents, so that sessions can refer to them and their capacity is counted.
pub async fn register_platform_agents(services: &AgentServices) -> Result<()> {
    for agent in services.runtimes.by_name.values() {
        // They are general: their capabilities depend on the model.
        let all = Capability::ALL.map(Capability::name);
        let capabilities = if agent.kind == Kind::Manual { Vec::new() } else { all.to_vec() };
        let sql = "select register_platform_agent($1, $2, $3, $4, $5, $6, $7)";
        // Scripted and manual agents are never routed to, unless configured as the default.
        let has_no_model = matches!(agent.kind, Kind::Manual | Kind::Scripted);
        let routable = !has_no_model || services.runtimes.default.as_ref() == Some(&agent.name);
        let id = AgentId::new();
        services
            .db
            .query_directory(
                sql,
                &[
                    &id,
                    &agent.name,
                    &agent.kind.name(),
                    &agent.capacity,
                    &capabilities,
                    &routable,
                    &services.clock.now(),
                ],
            )
            .await?;
    }
    Ok(())
}
