//! `GET /models/{name}/aliases/{alias}/history`: where an alias pointed, move by move.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    error::Refusals,
    model::{service, store::Move},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    models::named::OfAlias,
    problem::{Answer, Problems},
    query::{limit, one},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MovesQuery {
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One move of an alias.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelAliasMove)]
pub(super) struct MoveView {
    /// From 1 without gaps.
    seq: i32,
    /// move, remove or rollback.
    verb: String,
    /// Null when it was nowhere before.
    from: Option<String>,
    /// Null when it was taken away.
    to: Option<String>,
    /// A rollback undid it.
    undone: bool,
    actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl From<Move> for MoveView {
    fn from(one: Move) -> Self {
        let Move { seq, verb, was, becomes, undone, actor, at } = one;
        Self { seq, verb, from: was, to: becomes, undone, actor, at }
    }
}

#[utoipa::path(get, path = "/api/v1/models/{name}/aliases/{alias}/history", operation_id = "list_model_alias_moves", tag = "models",
    params(("name" = String, Path), ("alias" = String, Path), MovesQuery),
    responses((status = 200, description = "A page of its moves, newest first.", body = Items<MoveView>), Problems))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfAlias(name, alias): OfAlias,
    Query(query): Query<MovesQuery>,
) -> Answer<Json<Items<MoveView>>> {
    let mut refused = Refusals::default();
    let limit = limit(&mut refused, query.limit);
    let before = one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.finish()?;
    let found = service::history(&app, &caller, (&name, &alias), before, limit + 1).await?;
    let views = found.into_iter().map(MoveView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.seq.to_string())))
}
