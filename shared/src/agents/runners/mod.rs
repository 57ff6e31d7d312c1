//! Runners: the machines on which the agents of a pool work. One agent stands for one program on all runners of its
//! pool; a runner is only a place with slots, isolation and a last sign of life.
//!
//! [`enrolment`], [`registration`] and [`heartbeat`] parse what people and runners send (pure); [`enrolments`] holds
//! the use cases of the tokens with which runners enrol, [`register`] their registration, [`service`] what people and
//! runners do after that, and [`liveness`] what becomes of silent ones. Their tasks are those of the External Agent
//! Protocol.

pub mod enrolment;
mod enrolment_store;
pub mod enrolments;
pub mod heartbeat;
mod leases;
pub mod liveness;
mod pool_agents;
pub mod register;
pub mod registration;
pub mod service;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    agents::{
        eap::server::phase::{PhaseTimes, RunPhase},
        registry::string_enum,
    },
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error},
        id::{AgentId, ExternalTaskId, RunnerId, SessionId},
    },
};

/// The most slots of a runner.
pub const MAX_SLOTS: i32 = 50;

/// The most runners of a tenant that were not removed.
pub const MAX_RUNNERS: i64 = 1000;

string_enum! {
    /// The state of a runner.
    RunnerState {
        /// It takes work.
        Active "active"
        /// It finishes its tasks and gets no new ones.
        Draining "draining"
        /// It was silent for too long, or said that it stops.
        Offline "offline"
    }
}

string_enum! {
    /// How a runner separates the sessions from each other and from its machine, as it found by trying.
    Isolation {
        /// Not at all.
        None "none"
        /// Each session has a process and a home directory of its own.
        Process "process"
        /// Each session has a container of its own.
        Container "container"
        /// Each session has namespaces, a file system and a network of its own.
        Sandbox "sandbox"
    }
}

/// A program that a runner offers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunnerProgram {
    /// The name of the program, such as `opencode`.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,39}$")]
    pub program: String,
    /// The version of the program; null if unknown.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub version: Option<String>,
}

/// What a runner reports of a task that it works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunnerJob {
    /// The task.
    pub task_id: ExternalTaskId,
    /// The phase that the run is in.
    #[serde(default)]
    pub phase: Option<RunPhase>,
    /// The memory that the session uses, in MiB.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub rss_mb: Option<f64>,
    /// The processor time that the session uses, in percent of one processor.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub cpu_percent: Option<f64>,
}

/// A runner row.
#[derive(Clone, Debug, PartialEq)]
pub struct Runner {
    pub id: RunnerId,
    pub pool: String,
    pub name: String,
    pub version: String,
    pub os: String,
    pub arch: String,
    pub labels: BTreeMap<String, String>,
    pub slots: i32,
    pub isolation: Isolation,
    /// Why the isolation is not stronger.
    pub isolation_reason: Option<String>,
    pub programs: Vec<RunnerProgram>,
    pub protocol_version: String,
    /// A lead drains it.
    pub drain_requested: bool,
    pub state: RunnerState,
    /// What it last reported of its tasks.
    pub jobs: Vec<RunnerJob>,
    pub last_seen_at: Time,
    /// The creator of its enrolment.
    pub created_by: Actor,
    pub created_at: Time,
}

impl Runner {
    /// The payload of its events.
    fn event_payload(&self) -> Value {
        json!({"runner_id": self.id, "name": self.name, "pool": self.pool, "state": self.state})
    }

    /// Its fields in the audit log.
    fn audit_fields(&self) -> Value {
        json!({
            "pool": self.pool, "name": self.name, "version": self.version, "os": self.os, "arch": self.arch,
            "labels": self.labels, "slots": self.slots, "isolation": self.isolation, "programs": self.programs,
            "drain_requested": self.drain_requested,
        })
    }
}

/// A runner as a tenant sees it.
#[derive(Clone, Debug)]
pub struct RunnerDetails {
    pub runner: Runner,
    /// How many of its slots are in use, by tasks of all tenants. A task that waits for a person uses none.
    pub busy: i64,
    /// The agents of its pool, by their program.
    pub agents: BTreeMap<String, AgentId>,
}

/// A task of the tenant that a runner holds.
#[derive(Clone, Debug)]
pub struct HeldTask {
    pub task_id: ExternalTaskId,
    pub session_id: SessionId,
    pub session_title: Option<String>,
    pub agent_id: AgentId,
    pub lease_until: Time,
    /// When its phases began, as its reports said.
    pub phases: PhaseTimes,
}

/// The error for a runner that is unknown, removed or another tenant's: the error does not reveal which.
#[track_caller]
pub fn not_found(id: RunnerId) -> Error {
    Error::new(Code::RunnerNotFound, format!("There is no runner {id}."))
}

/// Whether a text is the name of a pool.
pub fn is_pool(text: &str) -> bool {
    is_word(text, "-")
}

/// Whether a text is the name of a program.
pub fn is_program(text: &str) -> bool {
    is_word(text, "-_")
}

fn is_word(text: &str, others: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=40).contains(&text.len())
        && text.starts_with(is_letter)
        && text.chars().all(|c| is_letter(c) || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_has_lower_case_letters_digits_and_hyphens() {
        for (text, fits) in [("a", true), ("build-farm-2", true), ("", false), ("-a", false), ("A", false)] {
            assert_eq!(is_pool(text), fits, "{text}");
        }
        assert!(!is_pool("a_b") && is_program("a_b"));
        assert!(is_pool(&"a".repeat(40)) && !is_pool(&"a".repeat(41)));
    }
}
