//! The representation of an experiment.

use serde::Serialize;
use shared::{
    kernel::{actor::Actor, clock::Time, id::ExperimentId, session_type::SessionType},
    models::{
        experiments::{Arm, Experiment, ExperimentStatus, Guardrail, PromotedArm},
        registry::ResolvedModel,
    },
};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// An experiment that compares models on live sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = Experiment)]
pub(super) struct ExperimentView {
    /// The id of the experiment.
    pub(super) id: ExperimentId,
    /// The name of the experiment, unique in the tenant.
    name: String,
    /// A description for people.
    description: Option<String>,
    /// Sessions that name this model take part. Sessions that name `experiment/<name>` always do.
    target: Option<String>,
    /// Only sessions of this type take part through `target`; null means all types.
    session_type: Option<SessionType>,
    /// The models that are compared.
    arms: Vec<ArmView>,
    /// The limits that stop an arm.
    guardrails: Vec<Guardrail>,
    /// The status of the experiment.
    status: ExperimentStatus,
    /// Why the experiment was stopped; null if no reason was given.
    stop_reason: Option<String>,
    /// The first arm that was found better than all others; null while there is none.
    winner: Option<String>,
    /// When the winner was found.
    #[schema(value_type = Option<String>, format = DateTime)]
    winner_at: Option<Time>,
    /// The arm that was promoted; null if none was.
    promoted: Option<PromotedArm>,
    /// The version of the experiment, which is also its `ETag`.
    version: i64,
    /// The actor that created the experiment.
    created_by: Actor,
    /// When the experiment was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the experiment was started; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    /// When the experiment was stopped; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    stopped_at: Option<Time>,
}

/// An arm of an experiment: one of the models that are compared.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentArm)]
struct ArmView {
    /// The name of the arm.
    name: String,
    /// The model as it was named at creation.
    model: String,
    /// The weight of the arm in the assignment.
    weight: i32,
    /// The model that sessions of the arm run on, resolved when the experiment was started; null before.
    runs_on: Option<ResolvedModel>,
    /// When the arm was stopped; null while it gets sessions.
    #[schema(value_type = Option<String>, format = DateTime)]
    stopped_at: Option<Time>,
    /// The guardrail that stopped the arm; null without one.
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

impl Versioned for ExperimentView {
    fn location(&self) -> String {
        format!("/api/v1/experiments/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
