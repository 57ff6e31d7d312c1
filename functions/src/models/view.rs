//! What models, versions and aliases look like on the wire.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    error::{Error, Result},
    id::{DatasetId, ModelVersionId, TrainingJobId},
    model::{
        ModelVersion, retirement,
        service::Moved,
        store::{Model, Pointed},
    },
    session::usage::usd,
    trainer::Metrics,
};
use utoipa::ToSchema;

use crate::version::Object;

/// A model of the registry.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelView {
    pub(super) name: String,
    /// The version with the highest number.
    newest_version: String,
    /// What the newest version stands on.
    base_model: String,
    /// How many versions it has.
    versions: i64,
    aliases: Vec<AliasView>,
    created_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When a version was last registered.
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

/// Where an alias points.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelAlias)]
pub(super) struct AliasView {
    alias: String,
    version: String,
    moved_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    moved_at: Time,
}

impl From<Pointed> for AliasView {
    fn from(pointed: Pointed) -> Self {
        let Pointed { alias, version, moved_by, moved_at, .. } = pointed;
        Self { alias, version, moved_by, moved_at }
    }
}

/// A version of a model. It never changes but for its notes and whether it is archived.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelVersion)]
pub(crate) struct VersionView {
    id: ModelVersionId,
    /// Of the model.
    name: String,
    /// `major.minor.patch[-build]`.
    version: String,
    /// The aliases that point at it.
    aliases: Vec<String>,
    base_model: String,
    /// How agents name it; null while nobody serves it.
    model_identifier: Option<String>,
    /// Where the result of the training lies.
    artifact: Option<String>,
    provider: Option<String>,
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    metrics: Metrics,
    /// What its training cost: decimal text with six places.
    cost_usd: Option<String>,
    lineage: Lineage,
    notes: Option<String>,
    /// No alias can point at an archived version, and no session runs on it.
    archived: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    archived_at: Option<Time>,
    /// What is to be minded, such as that its base model is retired.
    warnings: Vec<String>,
    created_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// Where a version came from; null where it was trained elsewhere.
#[derive(Serialize, ToSchema)]
struct Lineage {
    job_id: Option<TrainingJobId>,
    dataset_id: Option<DatasetId>,
    dataset_sha256: Option<String>,
    recipe_hash: Option<String>,
}

impl VersionView {
    pub(crate) fn of(app: &App, version: ModelVersion) -> Self {
        let now = app.clock.now();
        let warning = retirement::warning(&version.base_model, version.base_model_retires_on, now);
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
            cost_usd: version.cost_micros.map(usd),
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

impl Object for VersionView {
    fn place(&self) -> String {
        format!("/api/v1/models/{}/versions/{}", self.name, self.version)
    }

    fn version(&self) -> Option<i64> {
        None
    }
}

/// An alias that was moved.
#[derive(Serialize, ToSchema)]
#[schema(as = MovedModelAlias)]
pub(super) struct MovedView {
    alias: String,
    /// Where it points now.
    version: String,
    /// Where it pointed before; null when it was new.
    previous_version: Option<String>,
    /// What is to be minded of the version that it points at now.
    warnings: Vec<String>,
}

impl MovedView {
    /// Of a move that leads to a version.
    pub(super) fn of(app: &App, moved: Moved) -> Result<Self> {
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
