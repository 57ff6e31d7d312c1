//! `/base-models`: the base models of the tenant, and when they retire.

use axum::{Json as JsonResponse, extract::State};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    kernel::{actor::Actor, clock::Time, error::ValidationErrors},
    models::registry::{draft::BaseModelDraft, retirement, service, store::BaseModel},
};
use utoipa::{IntoParams, ToSchema};

use crate::http::{
    problem::HandlerResult,
    query::parse_limit,
    request::{Caller, Json, Lead, Query, Viewer},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BaseModelsQuery {
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// A base model of training jobs and model versions.
#[derive(Serialize, ToSchema)]
#[schema(as = BaseModel)]
pub(super) struct BaseModelView {
    /// The name of the base model, as jobs and versions use it.
    base_model: String,
    /// The day from which its provider no longer serves the model; null if unknown.
    #[schema(value_type = Option<String>, format = Date)]
    retires_on: Option<NaiveDate>,
    /// A note for people.
    note: Option<String>,
    /// The number of model versions that are based on it.
    versions: i64,
    /// Warnings, such as a retirement that is near.
    warnings: Vec<String>,
    /// The user or key that last changed the entry.
    updated_by: Option<Actor>,
    /// When the entry was last changed.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Time>,
}

impl BaseModelView {
    fn of(app: &App, known: BaseModel) -> Self {
        let warning = retirement::retirement_warning(&known.name, known.retires_on, app.clock.now());
        let BaseModel { name, retires_on, note, versions, updated_by, updated_at } = known;
        let warnings = warning.into_iter().collect();
        Self { base_model: name, retires_on, note, versions, warnings, updated_by, updated_at }
    }
}

/// List base models
///
/// Returns the base models that the tenant uses or recorded, by name.
#[utoipa::path(get, path = "/api/v1/base-models", operation_id = "list_base_models", tag = "models", params(BaseModelsQuery),
    responses((status = 200, description = "A page of base models.", body = Items<BaseModelView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<BaseModelsQuery>,
) -> HandlerResult<JsonResponse<Items<BaseModelView>>> {
    let mut refused = ValidationErrors::default();
    let limit = parse_limit(&mut refused, query.limit);
    if query.cursor.as_ref().is_some_and(|text| text.contains('\0')) {
        refused.add("cursor", "is not a cursor of this list");
    }
    refused.into_result()?;
    let found = service::base_models(&app, &caller, query.cursor.as_deref(), limit + 1).await?;
    let views = found.into_iter().map(|known| BaseModelView::of(&app, known)).collect();
    Ok(JsonResponse(Items::page(views, limit, |last| last.base_model.clone())))
}

/// The entry of a base model. It replaces the stored entry.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBaseModel {
    /// The name of the base model, as jobs and versions use it.
    #[schema(min_length = 1, max_length = 200)]
    base_model: String,
    /// The day from which its provider no longer serves the model; null if unknown.
    #[schema(value_type = Option<String>, format = Date)]
    retires_on: Option<NaiveDate>,
    /// A note for people.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// Record a base model
///
/// Records when a base model is retired, so that jobs and versions that use it carry a warning. Requires the role
/// lead.
#[utoipa::path(put, path = "/api/v1/base-models", operation_id = "keep_base_model", tag = "models", request_body = NewBaseModel,
    responses((status = 200, description = "The recorded base model.", body = BaseModelView)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(sent): Json<NewBaseModel>,
) -> HandlerResult<JsonResponse<BaseModelView>> {
    let draft = BaseModelDraft::parse(sent.base_model, sent.retires_on, sent.note)?;
    let kept = service::keep_base_model(&app, &caller, &draft).await?;
    Ok(JsonResponse(BaseModelView::of(&app, kept)))
}
