//! `GET /sessions`: the tenant's sessions, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
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
    query::{fragment, limit, one, time, words},
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
    let limit = page.limit;
    let found = service::list(&app, &caller, &filter, page).await?;
    let views = found.into_iter().map(|one| SessionView::of(&app, one)).collect();
    Ok(Json(Items::page(views, limit, |last: &SessionView| last.id.to_string())))
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
        q: fragment(refused, query.q),
    };
    let limit = limit(refused, query.limit);
    let before = one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    Ok((filter, Page { before, limit }))
}
