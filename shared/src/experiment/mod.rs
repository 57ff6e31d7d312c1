//! Experiments: two or more models compared on live sessions, and what may be concluded from that.
//!
//! [`assignment`] draws the arm of a session, [`statistics`] says what holds at any time, [`verdict`] what follows from it;
//! all three are pure. Arms are pinned to what they lead to when the experiment is started, so that an alias that moves
//! changes nothing in the middle of it.

pub mod assignment;
pub mod draft;
pub mod service;
pub mod statistics;
pub mod store;
pub mod verdict;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::ExperimentId,
    model::{Alias, Name, ResolvedModel},
    session::SessionType,
};

/// Arms of one experiment at most.
pub const MAX_ARMS: usize = 8;

/// Where an experiment stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExperimentStatus)]
pub enum Status {
    Draft,
    Running,
    Stopped,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Draft, Self::Running, Self::Stopped];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// What a guardrail looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardedMetric)]
pub enum Metric {
    /// 0..1, and too low is what stops.
    SuccessRate,
    CostUsd,
    DurationSeconds,
    Tokens,
}

impl Metric {
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuccessRate => "success_rate",
            Self::CostUsd => "cost_usd",
            Self::DurationSeconds => "duration_seconds",
            Self::Tokens => "tokens",
        }
    }
}

/// What an arm must keep: its mean over its sessions, once there are enough of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    pub metric: Metric,
    /// The lowest success rate, or the highest mean of the others.
    pub limit: f64,
    /// How many sessions must have ended before it counts; 20 when absent.
    #[serde(default = "usual_sessions")]
    #[schema(minimum = 1, maximum = 100_000)]
    pub min_sessions: i64,
}

const fn usual_sessions() -> i64 {
    20
}

/// One of the models that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub name: Alias,
    /// As it was named: a reference, or `provider/model`.
    pub model: String,
    pub weight: i32,
    /// What it led to when the experiment was started.
    pub runs_on: Option<ResolvedModel>,
    pub stopped_at: Option<Time>,
    pub stopped_why: Option<String>,
}

impl Arm {
    pub fn is_active(&self) -> bool {
        self.stopped_at.is_none()
    }
}

/// Which arm was made what everybody gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PromotedArm)]
pub struct Promoted {
    pub arm: String,
    pub model: String,
    pub version: String,
    pub alias: String,
}

/// An experiment, as its rows stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    pub id: ExperimentId,
    pub name: Name,
    pub description: Option<String>,
    pub target: Option<String>,
    pub session_type: Option<SessionType>,
    pub salt: String,
    pub guardrails: Vec<Guardrail>,
    pub arms: Vec<Arm>,
    pub status: Status,
    pub stop_reason: Option<String>,
    /// The first winner that was called.
    pub winner: Option<String>,
    pub winner_at: Option<Time>,
    pub promoted: Option<Promoted>,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub stopped_at: Option<Time>,
}
