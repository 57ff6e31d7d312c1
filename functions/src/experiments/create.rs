//! `POST /experiments`: creates an experiment, which is started later.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    kernel::session_type::SessionType,
    models::experiments::{
        Guardrail,
        draft::{ArmInput, ExperimentDraft, ExperimentInput},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    experiments::view::ExperimentView,
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Lead},
        version::Created,
    },
};

/// An experiment to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewExperiment {
    /// The name, unique in the tenant. Sessions may name `experiment/<name>` as their model.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    /// A description for people.
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// A model, as `registry/<name>@<alias>`. Sessions that name it take part while the experiment runs.
    #[schema(max_length = 200)]
    target: Option<String>,
    /// Only sessions of this type take part through `target`. Default: all types.
    session_type: Option<SessionType>,
    /// The models to be compared.
    #[schema(min_items = 2, max_items = 8)]
    arms: Vec<NewArm>,
    /// The limits that stop an arm.
    #[schema(max_items = 10)]
    #[serde(default)]
    guardrails: Vec<Guardrail>,
}

/// An arm of an experiment: one of the models to be compared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExperimentArm)]
struct NewArm {
    /// The name of the arm, unique in the experiment.
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z][a-z0-9_-]*$")]
    name: String,
    /// The model: `registry/<name>@<alias or version>` or `provider/model`.
    #[schema(max_length = 200)]
    model: String,
    /// The weight of the arm in the assignment. Default: 1.
    #[schema(minimum = 1, maximum = 1000)]
    weight: Option<i64>,
}

/// Create an experiment
///
/// Creates an experiment in the status `draft`. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/experiments", operation_id = "create_experiment", tag = "experiments", request_body = NewExperiment,
    responses((status = 201, description = "The created experiment.", body = ExperimentView,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(new): Json<NewExperiment>,
) -> HandlerResult<Created<ExperimentView>> {
    let arm = |NewArm { name, model, weight }| ArmInput { name, model, weight };
    let raw = ExperimentInput {
        name: new.name,
        description: new.description,
        target: new.target,
        session_type: new.session_type,
        arms: new.arms.into_iter().map(arm).collect(),
        guardrails: new.guardrails,
    };
    Ok(Created(service::create(&app, &caller, ExperimentDraft::parse(raw)?).await?.into()))
}
