//! The registry of models: versions that never change, aliases that move, and where each version came from.
//!
//! [`name`] holds what they are called and how a version's number follows from what it was made of, [`compare`] and
//! [`retirement`] what is told of them; all three are pure. A session that names `registry/<name>@<alias or version>` is
//! resolved when it is handed to its agent, never before.

pub mod compare;
pub mod draft;
pub mod name;
pub mod retirement;
pub mod service;
pub mod store;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::{DatasetId, ExperimentId, ModelVersionId, TrainingJobId},
    session::outcome::{Category, Failure},
    trainer::Metrics,
};

pub use name::{Alias, Name, Reference, Target, Version};

/// A version of a model, as its row stands, with what is known of its base model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelVersion {
    pub id: ModelVersionId,
    pub name: String,
    pub version: Version,
    pub base_model: String,
    pub base_model_retires_on: Option<NaiveDate>,
    /// None of these when it was trained elsewhere.
    pub job_id: Option<TrainingJobId>,
    pub dataset_id: Option<DatasetId>,
    pub dataset_sha256: Option<String>,
    pub recipe_hash: Option<String>,
    pub parameters: Map<String, Value>,
    pub provider: Option<String>,
    /// How agents name it; none while nobody serves it.
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

/// What is to be registered.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    pub name: Name,
    /// The one that it is to have; absent, the number follows from what it was made of.
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

/// What was registered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registered {
    pub id: ModelVersionId,
    pub version: String,
}

/// What a session that names a model of the registry really runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResolvedModel {
    /// What its agent is told: `provider/model`.
    pub model_identifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<ModelVersionId>,
    /// The alias that it was named by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The experiment that it takes part in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<InExperiment>,
}

/// Which arm of which experiment a session runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InExperiment {
    pub id: ExperimentId,
    pub name: String,
    pub arm: String,
}

/// What a reference leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    Found(ResolvedModel),
    /// There is no such model, alias or version.
    Nothing,
    /// The version that it leads to was archived.
    Archived(String),
    /// The version that it leads to cannot be named to an agent.
    Unserved(String),
}

impl Resolution {
    /// What can be run on, or why a session that names it cannot be.
    pub fn found(self, reference: &Reference) -> Result<ResolvedModel, Failure> {
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
                format!("{reference} leads to version {version}, which has no model_identifier: nobody serves it."),
                "Serve the version and register it with its model_identifier, or name another version.",
            ),
        };
        let mut failure = Failure::new(Category::User, NOT_RESOLVED, why);
        remedy.clone_into(&mut failure.remedy);
        Err(failure)
    }
}

/// The code of a session that failed because its model leads to nothing that can be run.
pub const NOT_RESOLVED: &str = "MODEL_NOT_RESOLVED";
