//! The payloads of the events of agents, models and the platform.

use serde::Deserialize;
use shared::{
    agents::{
        registry::{AgentType, Kind, State, Status as AgentStatus},
        runners::RunnerState,
    },
    kernel::id::{AgentId, ModelVersionId, RunnerId, SessionId, TrainingJobId},
    sessions::status::Status,
};
use utoipa::ToSchema;

payload! {
    /// An agent was registered.
    RegisteredAgent {
        /// The id of the agent.
        agent_id: AgentId,
        /// The name of the agent.
        name: String,
        /// The protocol that the agent speaks.
        kind: Kind,
        /// The kind of work that the agent is made for; null if unknown.
        agent_type: Option<AgentType>,
    }

    /// An agent was removed.
    DeregisteredAgent {
        /// The id of the agent.
        agent_id: AgentId,
        /// The name of the agent.
        name: String,
    }

    /// A heartbeat that differs from the previous one.
    AgentHeartbeat {
        /// The id of the agent.
        agent_id: AgentId,
        /// The name of the agent.
        name: String,
        /// The state that the owner chose.
        state: State,
        /// `alive`, `suspect` or `offline`.
        liveness: String,
        /// The health that the agent reported.
        status: AgentStatus,
        /// The load that the agent reported, 0 to 1.
        load: f64,
        /// The number of tasks that the agent reported.
        tasks: i32,
    }

    /// The state or the liveness of an agent changed.
    AgentStatusChange {
        /// The id of the agent.
        agent_id: AgentId,
        /// The name of the agent.
        name: String,
        /// The state that the owner chose.
        state: State,
        /// `alive`, `suspect` or `offline`.
        liveness: String,
        /// The health that the agent reported. Only after a heartbeat.
        status: Option<AgentStatus>,
        /// The load that the agent reported, 0 to 1. Only after a heartbeat.
        load: Option<f64>,
        /// The number of tasks that the agent reported. Only after a heartbeat.
        tasks: Option<i32>,
    }

    /// A run of a session on an agent.
    AgentTask {
        /// The id of the agent.
        agent_id: AgentId,
        /// The session.
        session_id: SessionId,
        /// The number of the run within the session.
        run: i32,
        /// The status that the session ended with. Only for completed tasks.
        status: Option<Status>,
    }

    /// The state of a runner, after it registered, changed its state or was removed.
    RunnerStatus {
        /// The id of the runner.
        runner_id: RunnerId,
        /// The name of the runner.
        name: String,
        /// The pool of the runner.
        pool: String,
        /// The state of the runner.
        state: RunnerState,
    }

    /// A model version was registered.
    RegisteredModel {
        /// The name of the model.
        name: String,
        /// The version.
        version: String,
        /// The id of the version.
        version_id: ModelVersionId,
        /// The training job that made the version; null if it was trained elsewhere.
        job_id: Option<TrainingJobId>,
    }

    /// An alias was moved or removed.
    MovedAlias {
        /// The name of the model.
        name: String,
        /// The alias.
        alias: String,
        /// The version that the alias points at; null if it was removed.
        version: Option<String>,
        /// The version that the alias pointed at before; null if it is new.
        previous_version: Option<String>,
    }

    /// A component of the platform failed or recovered.
    ComponentHealth {
        /// `redis`, `queue` or `agent:<name>`.
        component: String,
        /// Whether the component works.
        healthy: bool,
    }
}
