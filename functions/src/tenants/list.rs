//! `GET /tenants`: all tenants, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    error::Refusals,
    tenant::{Tenant, service, store::Filter},
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    query::{fragment, limit, one},
    reply::Items,
    request::{Admin, Caller, Query},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TenantsQuery {
    /// Only those that are active, or are not.
    #[param(value_type = Option<bool>)]
    is_active: Option<String>,
    /// A fragment of the name or the slug.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/tenants", operation_id = "list_tenants", tag = "tenants", params(TenantsQuery),
    responses((status = 200, description = "A page of them.", body = Items<Tenant>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    _: Caller<Admin>,
    Query(query): Query<TenantsQuery>,
) -> Answer<Json<Items<Tenant>>> {
    let mut refusals = Refusals::default();
    let filter = Filter {
        is_active: one(&mut refusals, "is_active", query.is_active, "must be true or false"),
        q: fragment(&mut refusals, query.q),
    };
    let limit = limit(&mut refusals, query.limit);
    let before = one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let found = service::list(&app, &filter, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}
