//! `GET /models/{name}/aliases/{alias}/history`: the versions that an alias pointed at.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    kernel::{actor::Actor, clock::Time, error::ValidationErrors},
    models::registry::{service, store::Move},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
    models::named::OfAlias,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MovesQuery {
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A move of an alias.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelAliasMove)]
pub(super) struct MoveView {
    /// The number of the move, from 1 without gaps.
    seq: i32,
    /// `move`, `remove` or `rollback`.
    verb: String,
    /// The version before the move; null if the alias did not exist.
    from: Option<String>,
    /// The version after the move; null if the alias was removed.
    to: Option<String>,
    /// Whether a rollback undid the move.
    undone: bool,
    /// The actor that moved the alias.
    actor: Actor,
    /// When the alias was moved.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl From<Move> for MoveView {
    fn from(one: Move) -> Self {
        let Move { seq, verb, was, becomes, undone, actor, at } = one;
        Self { seq, verb, from: was, to: becomes, undone, actor, at }
    }
}

/// List moves of an alias
///
/// Returns the moves of an alias, newest first.
#[utoipa::path(get, path = "/api/v1/models/{name}/aliases/{alias}/history", operation_id = "list_model_alias_moves", tag = "models",
    params(("name" = String, Path, description = "The name of the model."), ("alias" = String, Path, description = "The alias, such as `champion`."), MovesQuery),
    responses((status = 200, description = "A page of moves.", body = Items<MoveView>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Caller<Viewer>,
    OfAlias(name, alias): OfAlias,
    Query(query): Query<MovesQuery>,
) -> HandlerResult<Json<Items<MoveView>>> {
    let mut refused = ValidationErrors::default();
    let limit = parse_limit(&mut refused, query.limit);
    let before = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let found = service::list_moves(&app, &caller, (&name, &alias), before, limit + 1).await?;
    let views = found.into_iter().map(MoveView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.seq.to_string())))
}
