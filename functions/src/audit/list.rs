//! `GET /audit`: what was changed in the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    audit::{
        KINDS, service,
        store::{Filter, Recorded},
    },
    error::{Refusals, Result},
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    query::{limit, one, time, words},
    reply::Items,
    request::{Caller, Lead, Query},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// One or more actions, such as `session.stop`, separated by commas.
    #[param(max_length = 1000)]
    action: Option<String>,
    /// What it was done to, such as `session` or `api_key`.
    #[param(max_length = 50)]
    object_kind: Option<String>,
    #[param(max_length = 100)]
    object_id: Option<String>,
    /// The id of the key, person, agent or part of the system that did it.
    #[param(max_length = 100)]
    actor_id: Option<String>,
    /// At this time or later (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// Before this time (RFC 3339).
    #[param(format = DateTime)]
    until: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<i64>)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page of entries.", body = Items<Recorded>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Lead>,
    Query(query): Query<AuditQuery>,
) -> Answer<Json<Items<Recorded>>> {
    let (filter, before, limit) = parse(query)?;
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.seq.to_string())))
}

fn parse(query: AuditQuery) -> Result<(Filter, Option<i64>, i64)> {
    let mut refusals = Refusals::default();
    let refused = &mut refusals;
    let action = query.action.map(|text| {
        words(refused, "action", Some(&text), |word| {
            let fits = word.len() <= 100 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
            fits.then(|| word.to_owned())
        })
    });
    let mut plain = |field: &str, text: Option<String>| {
        let text = text?;
        if text.len() > 100 || text.contains('\0') {
            refused.add(field, "must have at most 100 characters, none of them NUL");
        }
        Some(text)
    };
    let (object_id, actor_id) = (plain("object_id", query.object_id), plain("actor_id", query.actor_id));
    if query.object_kind.as_deref().is_some_and(|kind| !KINDS.contains(&kind)) {
        refused.add("object_kind", format!("must be one of {}", KINDS.join(", ")));
    }
    let filter = Filter {
        action,
        object_kind: query.object_kind,
        object_id,
        actor_id,
        since: time(refused, "since", query.since),
        until: time(refused, "until", query.until),
    };
    let limit = limit(refused, query.limit);
    let before = one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    Ok((filter, before, limit))
}
