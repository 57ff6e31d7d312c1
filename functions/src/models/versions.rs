//! `/models/{name}/versions`: the versions of a model, newest first, and one of them.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::ValidationErrors,
    models::registry::{Target, service},
};
use utoipa::IntoParams;

use crate::{
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
    models::{
        named::{OfModel, OfVersion},
        view::VersionView,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionsQuery {
    /// Only archived versions (true) or only others (false).
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List model versions
///
/// Returns the versions of a model, the last registered first.
#[utoipa::path(get, path = "/api/v1/models/{name}/versions", operation_id = "list_model_versions", tag = "models",
    params(("name" = String, Path, description = "The name of the model."), VersionsQuery),
    responses((status = 200, description = "A page of versions.", body = Items<VersionView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfModel(name): OfModel,
    Query(query): Query<VersionsQuery>,
) -> HandlerResult<Json<Items<VersionView>>> {
    let mut refused = ValidationErrors::default();
    let archived = parse_one(&mut refused, "archived", query.archived, "must be true or false");
    let limit = parse_limit(&mut refused, query.limit);
    let before = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let found = service::list_versions(&app, &caller, &name, archived, (before, limit + 1)).await?;
    let views = found.into_iter().map(|version| VersionView::of(&app, version)).collect();
    Ok(Json(Items::page(views, limit, |last| last.id().to_string())))
}

/// Get a model version
///
/// Returns one version of a model with its metrics and lineage.
#[utoipa::path(get, path = "/api/v1/models/{name}/versions/{version}", operation_id = "get_model_version", tag = "models",
    params(("name" = String, Path, description = "The name of the model."), ("version" = String, Path, description = "The version, such as `1.2.0`.")),
    responses((status = 200, description = "The version.", body = VersionView)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfVersion(name, version): OfVersion,
) -> HandlerResult<Json<VersionView>> {
    let version = service::get_version(&app, &caller, &name, &Target::Version(version)).await?;
    Ok(Json(VersionView::of(&app, version)))
}
