//! `GET /users`: the tenant's people, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    auth::Role,
    error::Refusals,
    user::{User, service, store::Filter},
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    query::{fragment, limit, one, words},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// One or more roles, separated by commas.
    role: Option<String>,
    /// Only those who are active, or are not.
    #[param(value_type = Option<bool>)]
    is_active: Option<String>,
    /// A fragment of the e-mail or the name.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "users", params(UsersQuery),
    responses((status = 200, description = "A page of them.", body = Items<User>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<UsersQuery>,
) -> Answer<Json<Items<User>>> {
    let mut refusals = Refusals::default();
    let filter = Filter {
        role: words(&mut refusals, "role", query.role.as_deref(), Role::parse),
        is_active: one(&mut refusals, "is_active", query.is_active, "must be true or false"),
        q: fragment(&mut refusals, query.q),
    };
    let limit = limit(&mut refusals, query.limit);
    let before = one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}
