//! `GET /fine-tuning/datasets/{id}/sessions`: which sessions a dataset is made of.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    dataset::{Origin, Split, service, store::OriginFilter},
    error::Refusals,
    id::DatasetId,
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    query::{limit, one, words},
    reply::Items,
    request::{Caller, Named, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OriginsQuery {
    /// Only this side: training or `held_out`.
    #[param(value_type = Option<Split>)]
    split: Option<String>,
    /// Only those that are deleted, or only those that are not.
    #[param(value_type = Option<bool>)]
    deleted: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets/{id}/sessions", operation_id = "list_dataset_sessions", tag = "fine-tuning",
    params(("id" = uuid::Uuid, Path), OriginsQuery),
    responses((status = 200, description = "A page of them, newest first.", body = Items<Origin>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<DatasetId>,
    Query(query): Query<OriginsQuery>,
) -> Answer<Json<Items<Origin>>> {
    let mut refusals = Refusals::default();
    let split = words(&mut refusals, "split", query.split.as_deref(), Split::parse);
    if split.len() > 1 {
        refusals.add("split", "must be one of training, held_out");
    }
    let deleted = one(&mut refusals, "deleted", query.deleted, "must be true or false");
    let limit = limit(&mut refusals, query.limit);
    let before = one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let filter = OriginFilter { split: split.first().copied(), deleted, before };
    let found = service::sessions(&app, &caller, id, filter, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.session_id.to_string())))
}
