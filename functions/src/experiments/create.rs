//! `POST /experiments`: makes an experiment, not started yet.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    experiment::{
        Guardrail,
        draft::{Draft, Raw, RawArm},
        service,
    },
    session::SessionType,
};
use utoipa::ToSchema;

use crate::{
    experiments::view::ExperimentView,
    problem::{Answer, Problems},
    request::{Creator, Json, Lead},
    version::Created,
};

/// An experiment to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewExperiment {
    /// Unique in the tenant. Sessions may name `experiment/<name>` as their model.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// `registry/<name>@<alias>`: sessions that name it take part while the experiment runs.
    #[schema(max_length = 200)]
    target: Option<String>,
    /// Of the sessions that name the target only those of this type.
    session_type: Option<SessionType>,
    #[schema(min_items = 2, max_items = 8)]
    arms: Vec<NewArm>,
    #[schema(max_items = 10)]
    #[serde(default)]
    guardrails: Vec<Guardrail>,
}

/// One of the models that are compared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExperimentArm)]
struct NewArm {
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z][a-z0-9_-]*$")]
    name: String,
    /// `registry/<name>@<alias or version>`, or `provider/model`.
    #[schema(max_length = 200)]
    model: String,
    /// Its share of the sessions, by the sum of all weights; 1 when absent.
    #[schema(minimum = 1, maximum = 1000)]
    weight: Option<i64>,
}

#[utoipa::path(post, path = "/api/v1/experiments", operation_id = "create_experiment", tag = "experiments", request_body = NewExperiment,
    params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It was made, as a draft.", body = ExperimentView,
        headers(("Location" = String, description = "Its place."), ("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Lead>,
    Json(new): Json<NewExperiment>,
) -> Answer<Created<ExperimentView>> {
    let arm = |NewArm { name, model, weight }| RawArm { name, model, weight };
    let raw = Raw {
        name: new.name,
        description: new.description,
        target: new.target,
        session_type: new.session_type,
        arms: new.arms.into_iter().map(arm).collect(),
        guardrails: new.guardrails,
    };
    Ok(Created(service::create(&app, &caller, Draft::parse(raw)?).await?.into()))
}
