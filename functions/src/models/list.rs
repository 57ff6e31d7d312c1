//! `GET /models`: the models of the tenant, by name.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    error::Refusals,
    model::{Name, service, store::Filter},
};
use utoipa::IntoParams;

use crate::{
    models::view::ModelView,
    problem::{Answer, Problems},
    query::{fragment, limit, one},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ModelsQuery {
    /// A fragment of the name.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Models with a version that stands on it.
    #[param(max_length = 200)]
    base_model: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/models", operation_id = "list_models", tag = "models", params(ModelsQuery),
    responses((status = 200, description = "A page of them.", body = Items<ModelView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ModelsQuery>,
) -> Answer<Json<Items<ModelView>>> {
    let mut refused = Refusals::default();
    let q = fragment(&mut refused, query.q);
    let base_model = query.base_model.filter(|text| !text.contains('\0'));
    let limit = limit(&mut refused, query.limit);
    let after: Option<Name> = one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.finish()?;
    let filter = Filter { q, base_model };
    let found = service::list(&app, &caller, &filter, after.as_ref().map(Name::as_str), limit + 1).await?;
    let views = found.into_iter().map(ModelView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.name.clone())))
}
