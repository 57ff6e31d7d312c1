//! What an experiment looks like on the wire.

use serde::Serialize;
use shared::{
    auth::Actor,
    clock::Time,
    experiment::{Arm, Experiment, Guardrail, Promoted, Status},
    id::ExperimentId,
    model::ResolvedModel,
    session::SessionType,
};
use utoipa::ToSchema;

use crate::version::Object;

/// An experiment.
#[derive(Serialize, ToSchema)]
#[schema(as = Experiment)]
pub(super) struct ExperimentView {
    pub(super) id: ExperimentId,
    name: String,
    description: Option<String>,
    /// Sessions that name this take part. Those that name `experiment/<name>` do so in any case.
    target: Option<String>,
    /// Of the sessions that name the target only those of this type.
    session_type: Option<SessionType>,
    arms: Vec<ArmView>,
    guardrails: Vec<Guardrail>,
    status: Status,
    stop_reason: Option<String>,
    /// The first winner that was called.
    winner: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    winner_at: Option<Time>,
    promoted: Option<Promoted>,
    version: i64,
    created_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    stopped_at: Option<Time>,
}

/// One of the models that are compared.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentArm)]
struct ArmView {
    name: String,
    /// As it was named.
    model: String,
    weight: i32,
    /// What that led to when the experiment was started, and what sessions run on.
    runs_on: Option<ResolvedModel>,
    #[schema(value_type = Option<String>, format = DateTime)]
    stopped_at: Option<Time>,
    /// The guardrail that stopped it.
    stopped_why: Option<String>,
}

impl From<Arm> for ArmView {
    fn from(arm: Arm) -> Self {
        let Arm { name, model, weight, runs_on, stopped_at, stopped_why } = arm;
        Self { name: name.to_string(), model, weight, runs_on, stopped_at, stopped_why }
    }
}

impl From<Experiment> for ExperimentView {
    fn from(one: Experiment) -> Self {
        Self {
            id: one.id,
            name: one.name.to_string(),
            description: one.description,
            target: one.target,
            session_type: one.session_type,
            arms: one.arms.into_iter().map(ArmView::from).collect(),
            guardrails: one.guardrails,
            status: one.status,
            stop_reason: one.stop_reason,
            winner: one.winner,
            winner_at: one.winner_at,
            promoted: one.promoted,
            version: one.version,
            created_by: one.created_by,
            created_at: one.created_at,
            started_at: one.started_at,
            stopped_at: one.stopped_at,
        }
    }
}

impl Object for ExperimentView {
    fn place(&self) -> String {
        format!("/api/v1/experiments/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
