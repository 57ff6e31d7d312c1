//! The model registry: immutable versions, movable aliases, and the lineage of each version.
//!
//! [`name`] defines names and derives the number of a version from its inputs, [`compare`] compares versions and
//! [`retirement`] warns of retired base models; all three are pure. A session that names `registry/<name>@<alias or
//! version>` is resolved when it is dispatched, never before.

pub mod compare;
pub mod draft;
pub mod identifier;
pub mod metrics;
pub mod name;
pub mod retirement;
pub mod service;
pub mod store;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        failure::{Category, Failure},
        id::{DatasetId, ExperimentId, ModelVersionId, TrainingJobId},
    },
    models::registry::metrics::Metrics,
};

pub use name::{Alias, Name, Reference, Target, Version};

/// A version of a model, with facts about its base model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelVersion {
    pub id: ModelVersionId,
    pub name: String,
    pub version: Version,
    pub base_model: String,
    pub base_model_retires_on: Option<NaiveDate>,
    /// `None` for a version that was trained elsewhere.
    pub job_id: Option<TrainingJobId>,
    pub dataset_id: Option<DatasetId>,
    pub dataset_sha256: Option<String>,
    pub recipe_hash: Option<String>,
    pub parameters: Map<String, Value>,
    pub provider: Option<String>,
    /// The name by which agents call it; `None` while no provider serves it.
    pub model_identifier: Option<String>,
    pub artifact: Option<String>,
    pub metrics: Metrics,
    pub cost_micros: Option<i64>,
    pub notes: Option<String>,
    pub archived_at: Option<Time>,
    pub created_by: Actor,
    pub created_at: Time,
    /// The aliases that point at it.
    pub aliases: Vec<String>,
}

/// A version to register.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelVersionRegistration {
    pub name: Name,
    /// The requested number; if absent, the number is derived from the inputs of the version.
    pub version: Option<Version>,
    pub base_model: String,
    pub job_id: Option<TrainingJobId>,
    pub dataset_id: Option<DatasetId>,
    pub dataset_sha256: Option<String>,
    pub recipe_hash: Option<String>,
    pub parameters: Map<String, Value>,
    pub provider: Option<String>,
    pub model_identifier: Option<String>,
    pub artifact: Option<String>,
    pub metrics: Metrics,
    pub cost_micros: Option<i64>,
    pub notes: Option<String>,
}

/// A registered version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegisteredVersion {
    pub id: ModelVersionId,
    pub version: String,
}

/// The model version that a session runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResolvedModel {
    /// The model as agents name it: `provider/model`.
    pub model_identifier: String,
    /// The name of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The id of the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<ModelVersionId>,
    /// The alias that the session named; null if it named a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The arm of an experiment that chose the model; null without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<InExperiment>,
}

/// The arm of an experiment that a session runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InExperiment {
    /// The id of the experiment.
    pub id: ExperimentId,
    /// The name of the experiment.
    pub name: String,
    /// The name of the arm.
    pub arm: String,
}

/// The resolution of a reference.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    Found(ResolvedModel),
    /// There is no such model, alias or version.
    Nothing,
    /// The version is archived.
    Archived(String),
    /// No agent can use the version: no provider serves it.
    Unserved(String),
}

impl Resolution {
    /// The resolved model, or the failure of the session.
    pub fn into_resolved(self, reference: &Reference) -> Result<ResolvedModel, Failure> {
        let (why, remedy) = match self {
            Self::Found(resolved) => return Ok(resolved),
            Self::Nothing => (
                format!("{reference} leads to nothing: there is no such model, alias or version."),
                "Register the version, or point the alias at one; then retry, or create the session with another model.",
            ),
            Self::Archived(version) => (
                format!("{reference} leads to version {version}, which is archived."),
                "Bring the version back, or name another; then retry, or create the session with another model.",
            ),
            Self::Unserved(version) => (
                format!(
                    "{reference} leads to version {version}, which has no model_identifier: no provider serves it."
                ),
                "Serve the version and register it with its model_identifier, or name another version.",
            ),
        };
        let mut failure = Failure::new(Category::User, NOT_RESOLVED, why);
        remedy.clone_into(&mut failure.remedy);
        Err(failure)
    }
}

/// The failure code of a session whose model cannot be resolved.
pub const NOT_RESOLVED: &str = "MODEL_NOT_RESOLVED";
