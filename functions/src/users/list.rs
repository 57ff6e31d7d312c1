//! `GET /users`: the users of the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    identity::{
        auth::Role,
        users::{User, service, store::UserFilter},
    },
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::{parse_fragment, parse_limit, parse_list, parse_one},
    request::{Caller, Query, Viewer},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// Only these roles, separated by commas.
    role: Option<String>,
    /// Only active (true) or inactive (false) objects.
    #[param(value_type = Option<bool>)]
    is_active: Option<String>,
    /// A part of the e-mail address or the name.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List users
///
/// Returns the users of the tenant, newest first.
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "users", params(UsersQuery),
    responses((status = 200, description = "A page of users.", body = Items<User>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<UsersQuery>,
) -> HandlerResult<Json<Items<User>>> {
    let mut refusals = ValidationErrors::default();
    let filter = UserFilter {
        role: parse_list(&mut refusals, "role", query.role.as_deref(), Role::parse),
        is_active: parse_one(&mut refusals, "is_active", query.is_active, "must be true or false"),
        q: parse_fragment(&mut refusals, query.q),
    };
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}
