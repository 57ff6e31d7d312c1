//! Experiments: two or more models compared on live sessions.
//!
//! [`assignment`] draws the arm of a session, [`statistics`] computes intervals that are valid at any time, and
//! [`verdict`] draws the conclusions; all three are pure. The models of arms are resolved when the experiment starts,
//! so moving an alias does not affect a running experiment.

pub mod assignment;
pub mod draft;
pub mod service;
pub mod statistics;
pub mod store;
pub mod verdict;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    kernel::{actor::Actor, clock::Time, id::ExperimentId, session_type::SessionType},
    models::registry::{Alias, Name, ResolvedModel},
};

/// The most arms of one experiment.
pub const MAX_ARMS: usize = 8;

/// The status of an experiment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExperimentStatus)]
pub enum ExperimentStatus {
    Draft,
    Running,
    Stopped,
}

impl ExperimentStatus {
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

/// The metric that a guardrail limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardedMetric)]
pub enum Metric {
    /// 0..1; a low value violates the guardrail.
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

/// A limit for the mean of a metric over the sessions of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// The metric.
    pub metric: Metric,
    /// The lowest success rate, or the highest mean of another metric.
    pub limit: f64,
    /// The number of ended sessions from which the guardrail applies. Default: 20.
    #[serde(default = "usual_sessions")]
    #[schema(minimum = 1, maximum = 100_000)]
    pub min_sessions: i64,
}

const fn usual_sessions() -> i64 {
    20
}

/// One of the compared models.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub name: Alias,
    /// As requested: a reference, or `provider/model`.
    pub model: String,
    pub weight: i32,
    /// The model that it resolved to when the experiment started.
    pub runs_on: Option<ResolvedModel>,
    pub stopped_at: Option<Time>,
    pub stopped_why: Option<String>,
}

impl Arm {
    pub fn is_active(&self) -> bool {
        self.stopped_at.is_none()
    }
}

/// An arm that was promoted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromotedArm {
    /// The name of the arm.
    pub arm: String,
    /// The name of the model.
    pub model: String,
    /// The version that the alias points at.
    pub version: String,
    /// The alias that was moved.
    pub alias: String,
}

/// An experiment, as stored.
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
    pub status: ExperimentStatus,
    pub stop_reason: Option<String>,
    /// The first winner that was found.
    pub winner: Option<String>,
    pub winner_at: Option<Time>,
    pub promoted: Option<PromotedArm>,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub stopped_at: Option<Time>,
}
