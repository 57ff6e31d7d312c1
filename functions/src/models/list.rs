//! `GET /models`: the models of the tenant, by name.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::ValidationErrors,
    models::registry::{Name, service, store::ModelFilter},
};
use utoipa::IntoParams;

use crate::{
    http::{
        problem::HandlerResult,
        query::{parse_fragment, parse_limit, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
    models::view::ModelView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ModelsQuery {
    /// A part of the name.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Only models with a version that is based on this model.
    #[param(max_length = 200)]
    base_model: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List models
///
/// Returns the models of the registry, by name.
#[utoipa::path(get, path = "/api/v1/models", operation_id = "list_models", tag = "models", params(ModelsQuery),
    responses((status = 200, description = "A page of models.", body = Items<ModelView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ModelsQuery>,
) -> HandlerResult<Json<Items<ModelView>>> {
    let mut refused = ValidationErrors::default();
    let q = parse_fragment(&mut refused, query.q);
    let base_model = query.base_model.filter(|text| !text.contains('\0'));
    let limit = parse_limit(&mut refused, query.limit);
    let after: Option<Name> = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let filter = ModelFilter { q, base_model };
    let found = service::list(&app, &caller, &filter, after.as_ref().map(Name::as_str), limit + 1).await?;
    let views = found.into_iter().map(ModelView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.name.clone())))
}
