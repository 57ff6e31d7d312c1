//! `GET /sessions`: the tenant's sessions, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    clock::Time,
    error::{Refusals, Result},
    session::{
        Priority, SessionType, service,
        status::Status,
        store::{Filter, Page},
    },
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    reply::Items,
    request::{Caller, Query, Viewer},
    sessions::view::SessionView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// One or more states, separated by commas.
    status: Option<String>,
    /// One or more types, separated by commas.
    session_type: Option<String>,
    /// One or more priorities, as words or numbers, separated by commas.
    priority: Option<String>,
    /// One or more tags, separated by commas; any of them fits.
    tag: Option<String>,
    #[param(format = Uuid)]
    parent_id: Option<String>,
    #[param(format = Uuid)]
    agent_id: Option<String>,
    /// Made at this time or later (RFC 3339).
    #[param(format = DateTime)]
    created_after: Option<String>,
    /// Made before this time (RFC 3339).
    #[param(format = DateTime)]
    created_before: Option<String>,
    /// A fragment of the id, the title, the description or the prompt.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "sessions", params(ListQuery),
    responses((status = 200, description = "A page of them.", body = Items<SessionView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Items<SessionView>>> {
    let (filter, page) = parse(query)?;
    let mut found = service::list(&app, &caller, &filter, page).await?;
    let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    let next_cursor = found.last().filter(|_| more).map(|last| last.session.id.to_string());
    Ok(Json(Items { items: found.into_iter().map(|one| SessionView::of(&app, one)).collect(), next_cursor }))
}

fn parse(query: ListQuery) -> Result<(Filter, Page)> {
    let mut refusals = Refusals::default();
    let refused = &mut refusals;
    let status = words(refused, "status", query.status.as_deref(), |word| Status::parse(word).map(Status::name));
    let session_type = words(refused, "session_type", query.session_type.as_deref(), |word| {
        SessionType::parse(word).map(SessionType::name)
    });
    let priority =
        words(refused, "priority", query.priority.as_deref(), |word| Priority::parse(word).map(Priority::level));
    let tag = words(refused, "tag", query.tag.as_deref(), |word| {
        (!word.is_empty() && !word.contains('\0')).then(|| word.to_owned())
    });
    let filter = Filter {
        status,
        session_type,
        priority,
        tag,
        parent_id: one(refused, "parent_id", query.parent_id, "is not a uuid"),
        agent_id: one(refused, "agent_id", query.agent_id, "is not a uuid"),
        created_after: time(refused, "created_after", query.created_after),
        created_before: time(refused, "created_before", query.created_before),
        q: query.q.filter(|text| !text.is_empty()),
    };
    if filter.q.as_ref().is_some_and(|text| text.chars().count() > 200 || text.contains('\0')) {
        refused.add("q", "must have at most 200 characters, none of them NUL");
    }
    let limit: Option<i64> = one(refused, "limit", query.limit, "must be 1 to 200");
    if limit.is_some_and(|limit| !(1..=200).contains(&limit)) {
        refused.add("limit", "must be 1 to 200");
    }
    let before = one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    Ok((filter, Page { before, limit: limit.unwrap_or(50) }))
}

fn words<T>(refusals: &mut Refusals, field: &str, text: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let mut values = Vec::new();
    for word in text.into_iter().flat_map(|text| text.split(',')).map(str::trim) {
        match parse(word) {
            Some(value) => values.push(value),
            None => refusals.add(field, "holds a value that there is not"),
        }
    }
    values
}

fn one<T: std::str::FromStr>(refusals: &mut Refusals, field: &str, text: Option<String>, refusal: &str) -> Option<T> {
    text.and_then(|text| refusals.take(field, text.parse().map_err(|_| refusal.to_owned())))
}

fn time(refusals: &mut Refusals, field: &str, text: Option<String>) -> Option<Time> {
    let parse = |text: String| {
        // In a query a plus sign reads as a blank.
        let text = text.replace(' ', "+");
        chrono::DateTime::parse_from_rfc3339(&text).map(Into::into).map_err(|_| "is not an RFC 3339 time".to_owned())
    };
    text.and_then(|text| refusals.take(field, parse(text)))
}
