//! `GET /marketplace`: the agents that other tenants share with this one, the best first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    agents::marketplace::{ListingCursor, ListingFilter, ListingSort, RankedListing, service},
    app::App,
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::{
    agents::list::{capability, skill},
    http::{
        problem::HandlerResult,
        query::{parse_fragment, parse_limit, parse_list, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
    marketplace::view::ListingView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListingsQuery {
    /// Only agents with any of these capabilities, separated by commas.
    capability: Option<String>,
    /// Only agents with any of these skills, separated by commas.
    skill: Option<String>,
    /// Only agents that the tenant enabled (true) or did not (false).
    #[param(value_type = Option<bool>)]
    enabled: Option<String>,
    /// A part of the name, the description or the name of the publisher.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The order: `success` (default), `cost` or `p50`.
    sort: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List shared agents
///
/// Returns the agents that other tenants share with the caller's tenant. The default order is the certain part of
/// their success rate.
#[utoipa::path(get, path = "/api/v1/marketplace", operation_id = "list_listings", tag = "agents", params(ListingsQuery),
    responses((status = 200, description = "A page of agents.", body = Items<ListingView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ListingsQuery>,
) -> HandlerResult<Json<Items<ListingView>>> {
    let mut refusals = ValidationErrors::default();
    let refused = &mut refusals;
    let sort =
        query.sort.map(|text| ListingSort::parse(&text).ok_or_else(|| "must be success, cost or p50".to_owned()));
    let filter = ListingFilter {
        capability: parse_list(refused, "capability", query.capability.as_deref(), capability),
        skill: parse_list(refused, "skill", query.skill.as_deref(), skill),
        enabled: parse_one(refused, "enabled", query.enabled, "must be true or false"),
        q: parse_fragment(refused, query.q),
        sort: sort.and_then(|sort| refused.check("sort", sort)).unwrap_or_default(),
    };
    let limit = parse_limit(refused, query.limit);
    let after = query.cursor.and_then(|text| refused.check("cursor", read_cursor(&text)));
    refusals.into_result()?;
    let most = usize::try_from(limit + 1).unwrap_or(usize::MAX);
    let page = Items::rows(service::list_listings(&app, &caller, &filter, after, most).await?, limit, cursor);
    Ok(Json(page.map(|one| ListingView::of(one.listing, one.now))))
}

fn cursor(last: &RankedListing) -> String {
    format!("{}_{}", last.rank, last.listing.agent.id)
}

fn read_cursor(text: &str) -> Result<ListingCursor, String> {
    let read = || {
        let (rank, id) = text.split_once('_')?;
        Some((rank.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| "is not a cursor of this list".to_owned())
}
