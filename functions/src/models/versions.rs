//! `/models/{name}/versions`: the versions of a model, newest first, and one of them.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    error::Refusals,
    model::{Target, service},
};
use utoipa::IntoParams;

use crate::{
    models::{
        named::{OfModel, OfVersion},
        view::VersionView,
    },
    problem::{Answer, Problems},
    query::{limit, one},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionsQuery {
    /// True: only archived ones; false: only the others.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/models/{name}/versions", operation_id = "list_model_versions", tag = "models",
    params(("name" = String, Path), VersionsQuery),
    responses((status = 200, description = "A page of them, the last registered first.", body = Items<VersionView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfModel(name): OfModel,
    Query(query): Query<VersionsQuery>,
) -> Answer<Json<Items<VersionView>>> {
    let mut refused = Refusals::default();
    let archived = one(&mut refused, "archived", query.archived, "must be true or false");
    let limit = limit(&mut refused, query.limit);
    let before = one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.finish()?;
    let found = service::versions(&app, &caller, &name, archived, (before, limit + 1)).await?;
    let views = found.into_iter().map(|version| VersionView::of(&app, version)).collect();
    Ok(Json(Items::page(views, limit, |last| last.id().to_string())))
}

#[utoipa::path(get, path = "/api/v1/models/{name}/versions/{version}", operation_id = "get_model_version", tag = "models",
    params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "The version.", body = VersionView), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfVersion(name, version): OfVersion,
) -> Answer<Json<VersionView>> {
    let version = service::version(&app, &caller, &name, &Target::Version(version)).await?;
    Ok(Json(VersionView::of(&app, version)))
}
