//! The representation of models, versions and aliases.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Error, Result},
        id::{DatasetId, ModelVersionId, TrainingJobId},
        usage::format_usd,
    },
    models::registry::{
        ModelVersion,
        metrics::Metrics,
        retirement,
        service::AliasChange,
        store::{AliasPointer, Model},
    },
};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// A model of the registry.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelView {
    /// The name of the model.
    pub(super) name: String,
    /// The version with the highest number.
    newest_version: String,
    /// The base model of the newest version.
    base_model: String,
    /// The number of versions.
    versions: i64,
    /// The aliases of the model.
    aliases: Vec<AliasView>,
    /// The creator of the first version.
    created_by: Actor,
    /// When the first version was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the last version was registered.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl From<Model> for ModelView {
    fn from(model: Model) -> Self {
        Self {
            name: model.name,
            newest_version: model.newest_version,
            base_model: model.base_model,
            versions: model.versions,
            aliases: model.aliases.into_iter().map(AliasView::from).collect(),
            created_by: model.created_by,
            created_at: model.created_at,
            updated_at: model.updated_at,
        }
    }
}

/// An alias of a model.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelAlias)]
pub(super) struct AliasView {
    /// The alias.
    alias: String,
    /// The version that the alias points at.
    version: String,
    /// The actor that last moved the alias.
    moved_by: Actor,
    /// When the alias was last moved.
    #[schema(value_type = String, format = DateTime)]
    moved_at: Time,
}

impl From<AliasPointer> for AliasView {
    fn from(pointed: AliasPointer) -> Self {
        let AliasPointer { alias, version, moved_by, moved_at, .. } = pointed;
        Self { alias, version, moved_by, moved_at }
    }
}

/// A version of a model. Only its notes and its archival can change.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelVersion)]
pub(crate) struct VersionView {
    /// The id of the version.
    id: ModelVersionId,
    /// The name of the model.
    name: String,
    /// The version, as `major.minor.patch[-build]`.
    version: String,
    /// The aliases that point at the version.
    aliases: Vec<String>,
    /// The base model.
    base_model: String,
    /// The model as agents name it, `provider/model`; null until a provider serves it.
    model_identifier: Option<String>,
    /// The location of the trained model.
    artifact: Option<String>,
    /// The provider that trained the model; null if unknown.
    provider: Option<String>,
    /// The parameters of the training.
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// The metrics of the training.
    metrics: Metrics,
    /// The cost of the training in US dollars, as decimal text with six places; null if unknown.
    cost_usd: Option<String>,
    /// The origin of the version.
    lineage: Lineage,
    /// Notes for people.
    notes: Option<String>,
    /// Whether the version is archived. No alias can point at an archived version, and no session runs on it.
    archived: bool,
    /// When the version was archived; null if it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    archived_at: Option<Time>,
    /// Warnings, such as the retirement of the base model.
    warnings: Vec<String>,
    /// The actor that registered the version.
    created_by: Actor,
    /// When the version was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// The origin of a model version. Values are null for models that were trained elsewhere.
#[derive(Serialize, ToSchema)]
struct Lineage {
    /// The training job.
    job_id: Option<TrainingJobId>,
    /// The dataset.
    dataset_id: Option<DatasetId>,
    /// The SHA-256 of the dataset, in hexadecimal.
    dataset_sha256: Option<String>,
    /// The hash of the recipe of the dataset.
    recipe_hash: Option<String>,
}

impl VersionView {
    pub(crate) fn of(app: &App, version: ModelVersion) -> Self {
        let now = app.clock.now();
        let warning = retirement::retirement_warning(&version.base_model, version.base_model_retires_on, now);
        Self {
            id: version.id,
            name: version.name,
            version: version.version.to_string(),
            aliases: version.aliases,
            base_model: version.base_model,
            model_identifier: version.model_identifier,
            artifact: version.artifact,
            provider: version.provider,
            parameters: version.parameters,
            metrics: version.metrics,
            cost_usd: version.cost_micros.map(format_usd),
            lineage: Lineage {
                job_id: version.job_id,
                dataset_id: version.dataset_id,
                dataset_sha256: version.dataset_sha256,
                recipe_hash: version.recipe_hash,
            },
            notes: version.notes,
            archived: version.archived_at.is_some(),
            archived_at: version.archived_at,
            warnings: warning.into_iter().collect(),
            created_by: version.created_by,
            created_at: version.created_at,
        }
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn number(&self) -> &str {
        &self.version
    }

    pub(super) fn id(&self) -> ModelVersionId {
        self.id
    }
}

impl Versioned for VersionView {
    fn location(&self) -> String {
        format!("/api/v1/models/{}/versions/{}", self.name, self.version)
    }

    fn version(&self) -> Option<i64> {
        None
    }
}

/// An alias after a move.
#[derive(Serialize, ToSchema)]
#[schema(as = MovedModelAlias)]
pub(super) struct MovedView {
    /// The alias.
    alias: String,
    /// The version that the alias points at now.
    version: String,
    /// The version that the alias pointed at before; null if the alias is new.
    previous_version: Option<String>,
    /// Warnings about the version that the alias points at now.
    warnings: Vec<String>,
}

impl MovedView {
    /// Of a move that leads to a version.
    pub(super) fn of(app: &App, moved: AliasChange) -> Result<Self> {
        let version =
            moved.version.ok_or_else(|| Error::internal("an alias that was pointed somewhere points nowhere"))?;
        let version = VersionView::of(app, version);
        Ok(Self {
            alias: moved.alias,
            version: version.version,
            previous_version: moved.was,
            warnings: version.warnings,
        })
    }
}
