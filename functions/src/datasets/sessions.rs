//! `GET /fine-tuning/datasets/{id}/sessions`: the sessions that a dataset was made from.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::{error::ValidationErrors, id::DatasetId},
    training::datasets::{DatasetSession, Split, service, store::OriginFilter},
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::{parse_limit, parse_list, parse_one},
    request::{Caller, PathId, Query, Viewer},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OriginsQuery {
    /// The part of the dataset.
    #[param(value_type = Option<Split>)]
    split: Option<String>,
    /// Only sessions that are deleted (true) or exist (false).
    #[param(value_type = Option<bool>)]
    deleted: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List the sessions of a dataset
///
/// Returns the source sessions of a dataset, newest first.
#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets/{id}/sessions", operation_id = "list_dataset_sessions", tag = "fine-tuning",
    params(("id" = uuid::Uuid, Path, description = "The id of the dataset."), OriginsQuery),
    responses((status = 200, description = "A page of sessions.", body = Items<DatasetSession>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<DatasetId>,
    Query(query): Query<OriginsQuery>,
) -> HandlerResult<Json<Items<DatasetSession>>> {
    let mut refusals = ValidationErrors::default();
    let split = parse_list(&mut refusals, "split", query.split.as_deref(), Split::parse);
    if split.len() > 1 {
        refusals.add("split", "must be one of training, held_out");
    }
    let deleted = parse_one(&mut refusals, "deleted", query.deleted, "must be true or false");
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let filter = OriginFilter { split: split.first().copied(), deleted, before };
    let found = service::list_sessions(&app, &caller, id, filter, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.session_id.to_string())))
}
