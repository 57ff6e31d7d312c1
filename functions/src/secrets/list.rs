//! `GET /secrets`: the secrets that the caller can name, without their values.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    identity::secrets::{SCOPE_FORM, service},
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::{
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_one},
        request::{Caller, Member, Query},
        response::Items,
    },
    secrets::view::SecretView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SecretsQuery {
    /// Only secrets of this scope: `tenant`, `user` or the id of an environment.
    scope: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List secrets
///
/// Returns the secrets of the tenant and of its environments and the caller's own, newest first, without their values.
/// Requires the role member.
#[utoipa::path(get, path = "/api/v1/secrets", operation_id = "list_secrets", tag = "secrets", params(SecretsQuery),
    responses((status = 200, description = "A page of secrets.", body = Items<SecretView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Member>,
    Query(query): Query<SecretsQuery>,
) -> HandlerResult<Json<Items<SecretView>>> {
    let mut refused = ValidationErrors::default();
    let scope = parse_one(&mut refused, "scope", query.scope, SCOPE_FORM);
    let limit = parse_limit(&mut refused, query.limit);
    let before = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let found = service::list_secrets(&app, &caller, scope, (before, limit + 1)).await?;
    let views = found.into_iter().map(SecretView::from).collect();
    Ok(Json(Items::page(views, limit, |last: &SecretView| last.id.to_string())))
}
