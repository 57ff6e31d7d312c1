//! `/base-models`: what the tenant trains on, and when that is retired.

use axum::{Json as Shown, extract::State};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    error::Refusals,
    model::{draft::BaseModelDraft, retirement, service, store::BaseModel},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    problem::{Answer, Problems},
    query::limit,
    reply::Items,
    request::{Caller, Json, Lead, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BaseModelsQuery {
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// A model that versions stand on.
#[derive(Serialize, ToSchema)]
#[schema(as = BaseModel)]
pub(super) struct BaseModelView {
    base_model: String,
    /// The day from which on its provider does not serve it.
    #[schema(value_type = Option<String>, format = Date)]
    retires_on: Option<NaiveDate>,
    note: Option<String>,
    /// How many versions stand on it.
    versions: i64,
    warnings: Vec<String>,
    updated_by: Option<Actor>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Time>,
}

impl BaseModelView {
    fn of(app: &App, known: BaseModel) -> Self {
        let warning = retirement::warning(&known.name, known.retires_on, app.clock.now());
        let BaseModel { name, retires_on, note, versions, updated_by, updated_at } = known;
        let warnings = warning.into_iter().collect();
        Self { base_model: name, retires_on, note, versions, warnings, updated_by, updated_at }
    }
}

#[utoipa::path(get, path = "/api/v1/base-models", operation_id = "list_base_models", tag = "models", params(BaseModelsQuery),
    responses((status = 200, description = "A page of them, by name.", body = Items<BaseModelView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<BaseModelsQuery>,
) -> Answer<Shown<Items<BaseModelView>>> {
    let mut refused = Refusals::default();
    let limit = limit(&mut refused, query.limit);
    if query.cursor.as_ref().is_some_and(|text| text.contains('\0')) {
        refused.add("cursor", "is not a cursor of this list");
    }
    refused.finish()?;
    let found = service::base_models(&app, &caller, query.cursor.as_deref(), limit + 1).await?;
    let views = found.into_iter().map(|known| BaseModelView::of(&app, known)).collect();
    Ok(Shown(Items::page(views, limit, |last| last.base_model.clone())))
}

/// What is known of a base model, in place of what was known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBaseModel {
    /// As jobs and versions name it.
    #[schema(min_length = 1, max_length = 200)]
    base_model: String,
    /// Null when no day is known.
    #[schema(value_type = Option<String>, format = Date)]
    retires_on: Option<NaiveDate>,
    #[schema(max_length = 1000)]
    note: Option<String>,
}

#[utoipa::path(put, path = "/api/v1/base-models", operation_id = "keep_base_model", tag = "models", request_body = NewBaseModel,
    responses((status = 200, description = "It is known, and warned of where it is used.", body = BaseModelView), Problems))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(sent): Json<NewBaseModel>,
) -> Answer<Shown<BaseModelView>> {
    let draft = BaseModelDraft::parse(sent.base_model, sent.retires_on, sent.note)?;
    let kept = service::keep_base_model(&app, &caller, &draft).await?;
    Ok(Shown(BaseModelView::of(&app, kept)))
}
