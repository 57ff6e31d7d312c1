//! `GET /models/{name}/compare`: two versions side by side.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    kernel::error::ValidationErrors,
    models::registry::{
        Target,
        compare::{ComparedMetric, DifferingField, compare_metrics, differing_fields},
        service,
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        problem::HandlerResult,
        query::parse_one,
        request::{Caller, Query, Viewer},
    },
    models::{named::OfModel, view::VersionView},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CompareQuery {
    /// The first version, or an alias of it.
    #[param(value_type = String)]
    a: Option<String>,
    /// The second version, or an alias of it.
    #[param(value_type = String)]
    b: Option<String>,
}

/// A comparison of two versions of a model.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelComparison)]
pub(super) struct ComparisonView {
    /// The first version.
    a: VersionView,
    /// The second version.
    b: VersionView,
    /// The metrics of both versions.
    metrics: Vec<ComparedMetric>,
    /// The other fields in which the versions differ.
    differs: Vec<DifferingField>,
    /// Warnings about either version.
    warnings: Vec<String>,
}

/// Compare model versions
///
/// Returns two versions of a model with their metrics and the fields in which they differ.
#[utoipa::path(get, path = "/api/v1/models/{name}/compare", operation_id = "compare_model_versions", tag = "models",
    params(("name" = String, Path, description = "The name of the model."), CompareQuery),
    responses((status = 200, description = "The comparison.", body = ComparisonView)))]
pub(super) async fn compare(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfModel(name): OfModel,
    Query(query): Query<CompareQuery>,
) -> HandlerResult<Json<ComparisonView>> {
    let mut refused = ValidationErrors::default();
    let mut named = |field, text: Option<String>| {
        let refusal = "must be an alias, such as champion, or a version, such as 1.2.0";
        parse_one::<Target>(&mut refused, field, Some(text.unwrap_or_default()), refusal)
    };
    let (a, b) = (named("a", query.a), named("b", query.b));
    refused.into_result()?;
    let Some((a, b)) = a.zip(b) else { return Err(shared::kernel::error::Error::internal("both were read").into()) };
    let a = service::get_version(&app, &caller, &name, &a).await?;
    let b = service::get_version(&app, &caller, &name, &b).await?;
    let (metrics, differs) = (compare_metrics(&a, &b), differing_fields(&a, &b));
    let (a, b) = (VersionView::of(&app, a), VersionView::of(&app, b));
    let warnings_of = |version: &VersionView| {
        let number = version.number().to_owned();
        version.warnings().iter().map(move |warning| format!("{number}: {warning}")).collect::<Vec<_>>()
    };
    let warnings = [warnings_of(&a), warnings_of(&b)].concat();
    Ok(Json(ComparisonView { a, b, metrics, differs, warnings }))
}
