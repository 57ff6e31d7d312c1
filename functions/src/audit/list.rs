//! `GET /audit`: the changes in the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    identity::audit::{
        OBJECT_KINDS, service,
        store::{AuditFilter, AuditRecord},
    },
    kernel::error::{Result, ValidationErrors},
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::{parse_limit, parse_list, parse_one, parse_time},
    request::{Caller, Lead, Query},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only these actions, such as `session.stop`, separated by commas.
    #[param(max_length = 1000)]
    action: Option<String>,
    /// Only changes of this kind of object, such as `session` or `api_key`.
    #[param(max_length = 50)]
    object_kind: Option<String>,
    /// Only changes of the object with this id.
    #[param(max_length = 100)]
    object_id: Option<String>,
    /// Only changes by the actor with this id.
    #[param(max_length = 100)]
    actor_id: Option<String>,
    /// Only entries at this time or later (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only entries before this time (RFC 3339).
    #[param(format = DateTime)]
    until: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(value_type = Option<i64>)]
    cursor: Option<String>,
}

/// List audit entries
///
/// Returns the audit log of the tenant, newest first. Requires the role lead.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page of entries.", body = Items<AuditRecord>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Lead>,
    Query(query): Query<AuditQuery>,
) -> HandlerResult<Json<Items<AuditRecord>>> {
    let (filter, before, limit) = parse(query)?;
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.seq.to_string())))
}

fn parse(query: AuditQuery) -> Result<(AuditFilter, Option<i64>, i64)> {
    let mut refusals = ValidationErrors::default();
    let refused = &mut refusals;
    let action = query.action.map(|text| {
        parse_list(refused, "action", Some(&text), |word| {
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
    if query.object_kind.as_deref().is_some_and(|kind| !OBJECT_KINDS.contains(&kind)) {
        refused.add("object_kind", format!("must be one of {}", OBJECT_KINDS.join(", ")));
    }
    let filter = AuditFilter {
        action,
        object_kind: query.object_kind,
        object_id,
        actor_id,
        since: parse_time(refused, "since", query.since),
        until: parse_time(refused, "until", query.until),
    };
    let limit = parse_limit(refused, query.limit);
    let before = parse_one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    Ok((filter, before, limit))
}
