//! `GET /marketplace`: the agents that other tenants offer to the caller's, the best first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    agent::market::{self, After, Filter, Ranked, Sort},
    app::App,
    error::Refusals,
};
use utoipa::IntoParams;

use crate::{
    agents::list::{capability, skill},
    marketplace::view::ListingView,
    problem::{Answer, Problems},
    query::{fragment, limit, one, words},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListingsQuery {
    /// One or more, separated by commas; an agent that has any of them.
    capability: Option<String>,
    /// One or more, separated by commas; an agent that has any of them.
    skill: Option<String>,
    /// Only those that the tenant uses, or does not.
    #[param(value_type = Option<bool>)]
    enabled: Option<String>,
    /// A fragment of the name, the description or the publisher's name.
    #[param(max_length = 200)]
    q: Option<String>,
    /// success (the default: by what is certain of it), cost or p50.
    sort: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before, in the same order.
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/marketplace", operation_id = "list_listings", tag = "agents", params(ListingsQuery),
    responses((status = 200, description = "A page of them.", body = Items<ListingView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ListingsQuery>,
) -> Answer<Json<Items<ListingView>>> {
    let mut refusals = Refusals::default();
    let refused = &mut refusals;
    let sort = query.sort.map(|text| Sort::parse(&text).ok_or_else(|| "must be success, cost or p50".to_owned()));
    let filter = Filter {
        capability: words(refused, "capability", query.capability.as_deref(), capability),
        skill: words(refused, "skill", query.skill.as_deref(), skill),
        enabled: one(refused, "enabled", query.enabled, "must be true or false"),
        q: fragment(refused, query.q),
        sort: sort.and_then(|sort| refused.take("sort", sort)).unwrap_or_default(),
    };
    let limit = limit(refused, query.limit);
    let after = query.cursor.and_then(|text| refused.take("cursor", read_cursor(&text)));
    refusals.finish()?;
    let most = usize::try_from(limit + 1).unwrap_or(usize::MAX);
    let page = Items::page(market::list(&app, &caller, &filter, after, most).await?, limit, cursor);
    let items = page.items.into_iter().map(|one| ListingView::of(one.listing, one.now)).collect();
    Ok(Json(Items { items, next_cursor: page.next_cursor }))
}

fn cursor(last: &Ranked) -> String {
    format!("{}_{}", last.rank, last.listing.agent.id)
}

fn read_cursor(text: &str) -> Result<After, String> {
    let read = || {
        let (rank, id) = text.split_once('_')?;
        Some((rank.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| "is not a cursor of this list".to_owned())
}
