//! `GET /tenants`: all tenants, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    identity::tenants::{Tenant, service, store::TenantFilter},
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::{parse_fragment, parse_limit, parse_one},
    request::{Admin, Caller, Query},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TenantsQuery {
    /// Only active (true) or inactive (false) objects.
    #[param(value_type = Option<bool>)]
    is_active: Option<String>,
    /// A part of the name or the slug.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List tenants
///
/// Returns all tenants, newest first. Requires the role admin.
#[utoipa::path(get, path = "/api/v1/tenants", operation_id = "list_tenants", tag = "tenants", params(TenantsQuery),
    responses((status = 200, description = "A page of tenants.", body = Items<Tenant>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Caller<Admin>,
    Query(query): Query<TenantsQuery>,
) -> HandlerResult<Json<Items<Tenant>>> {
    let mut refusals = ValidationErrors::default();
    let filter = TenantFilter {
        is_active: parse_one(&mut refusals, "is_active", query.is_active, "must be true or false"),
        q: parse_fragment(&mut refusals, query.q),
    };
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = service::list(&app, &filter, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}
