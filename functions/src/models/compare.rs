//! `GET /models/{name}/compare`: two versions side by side.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    error::Refusals,
    model::{
        Target,
        compare::{Compared, Differing, differing, metrics},
        service,
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    models::{named::OfModel, view::VersionView},
    problem::{Answer, Problems},
    query::one,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CompareQuery {
    /// An alias or a version.
    #[param(value_type = String)]
    a: Option<String>,
    /// An alias or a version.
    #[param(value_type = String)]
    b: Option<String>,
}

/// Two versions side by side.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelComparison)]
pub(super) struct ComparisonView {
    a: VersionView,
    b: VersionView,
    metrics: Vec<Compared>,
    /// What else differs: what they were made of, and each parameter.
    differs: Vec<Differing>,
    /// What is to be minded, of either.
    warnings: Vec<String>,
}

#[utoipa::path(get, path = "/api/v1/models/{name}/compare", operation_id = "compare_model_versions", tag = "models",
    params(("name" = String, Path), CompareQuery),
    responses((status = 200, description = "Both, and how they differ.", body = ComparisonView), Problems))]
pub(super) async fn compare(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfModel(name): OfModel,
    Query(query): Query<CompareQuery>,
) -> Answer<Json<ComparisonView>> {
    let mut refused = Refusals::default();
    let mut named = |field, text: Option<String>| {
        let refusal = "must be an alias, such as champion, or a version, such as 1.2.0";
        one::<Target>(&mut refused, field, Some(text.unwrap_or_default()), refusal)
    };
    let (a, b) = (named("a", query.a), named("b", query.b));
    refused.finish()?;
    let Some((a, b)) = a.zip(b) else { return Err(shared::error::Error::internal("both were read").into()) };
    let a = service::version(&app, &caller, &name, &a).await?;
    let b = service::version(&app, &caller, &name, &b).await?;
    let (metrics, differs) = (metrics(&a, &b), differing(&a, &b));
    let (a, b) = (VersionView::of(&app, a), VersionView::of(&app, b));
    let told = |version: &VersionView| {
        let number = version.number().to_owned();
        version.warnings().iter().map(move |warning| format!("{number}: {warning}")).collect::<Vec<_>>()
    };
    let warnings = [told(&a), told(&b)].concat();
    Ok(Json(ComparisonView { a, b, metrics, differs, warnings }))
}
