//! `GET /sessions`: the tenant's sessions, newest first.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    app::App,
    kernel::{
        error::{Result, ValidationErrors},
        session_type::SessionType,
    },
    sessions::{
        Priority, service,
        status::Status,
        store::{SessionFilter, SessionPage},
    },
};
use utoipa::IntoParams;

use crate::{
    http::{
        problem::HandlerResult,
        query::{parse_fragment, parse_limit, parse_list, parse_one, parse_time},
        request::{Caller, Query, Viewer},
        response::Items,
    },
    sessions::view::SessionView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only these statuses, separated by commas.
    status: Option<String>,
    /// Only these types, separated by commas.
    session_type: Option<String>,
    /// Only these priorities, as words or numbers, separated by commas.
    priority: Option<String>,
    /// Only sessions with any of these tags, separated by commas.
    tag: Option<String>,
    /// Only children of this session.
    #[param(format = Uuid)]
    parent_id: Option<String>,
    /// Only sessions of this agent.
    #[param(format = Uuid)]
    agent_id: Option<String>,
    /// Only sessions created at this time or later (RFC 3339).
    #[param(format = DateTime)]
    created_after: Option<String>,
    /// Only sessions created before this time (RFC 3339).
    #[param(format = DateTime)]
    created_before: Option<String>,
    /// A part of the id, the title, the description or the prompt. The newest 10000 sessions are searched.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
    /// The fields of each session to return, separated by commas. Default: all. `id` is always returned.
    fields: Option<String>,
}

/// A session of the list: whole, or the fields that were asked for.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ListedSession {
    Whole(Box<SessionView>),
    Selected(Map<String, Value>),
}

impl ListedSession {
    fn of(view: SessionView, fields: &[&'static str]) -> Result<Self> {
        if fields.is_empty() {
            return Ok(Self::Whole(Box::new(view)));
        }
        let mut all = serde_json::to_value(&view)?;
        let take = |name: &&'static str| Some(((*name).to_owned(), all.get_mut(*name)?.take()));
        Ok(Self::Selected(fields.iter().filter_map(take).collect()))
    }

    fn id(&self) -> String {
        match self {
            Self::Whole(view) => view.id.to_string(),
            Self::Selected(fields) => fields["id"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// The fields that the list returns, among them always the id, which pages need.
fn parse_fields(refusals: &mut ValidationErrors, text: Option<&str>) -> Vec<&'static str> {
    let known = |word: &str| SessionView::FIELDS.into_iter().find(|name| *name == word);
    let mut fields = parse_list(refusals, "fields", text, known);
    if !fields.is_empty() && !fields.contains(&"id") {
        fields.insert(0, "id");
    }
    fields
}

/// List sessions
///
/// Returns the sessions of the tenant, newest first. With `fields`, the items hold only these fields. A page ends
/// before it exceeds 4 MB.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "sessions", params(ListQuery),
    responses((status = 200, description = "A page of sessions.", body = Items<SessionView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ListQuery>,
) -> HandlerResult<Json<Items<ListedSession>>> {
    let (filter, page, fields) = parse(query)?;
    let limit = page.limit;
    let found = service::list(&app, &caller, &filter, page).await?;
    let views = found.into_iter().map(|one| ListedSession::of(SessionView::of(&app, one), &fields));
    Ok(Json(Items::page(views.collect::<Result<_>>()?, limit, ListedSession::id)))
}

fn parse(query: ListQuery) -> Result<(SessionFilter, SessionPage, Vec<&'static str>)> {
    let mut refusals = ValidationErrors::default();
    let refused = &mut refusals;
    let fields = parse_fields(refused, query.fields.as_deref());
    let status = parse_list(refused, "status", query.status.as_deref(), |word| Status::parse(word).map(Status::name));
    let session_type = parse_list(refused, "session_type", query.session_type.as_deref(), |word| {
        SessionType::parse(word).map(SessionType::name)
    });
    let priority =
        parse_list(refused, "priority", query.priority.as_deref(), |word| Priority::parse(word).map(Priority::level));
    let tag = parse_list(refused, "tag", query.tag.as_deref(), |word| {
        (!word.is_empty() && !word.contains('\0')).then(|| word.to_owned())
    });
    let filter = SessionFilter {
        status,
        session_type,
        priority,
        tag,
        parent_id: parse_one(refused, "parent_id", query.parent_id, "is not a uuid"),
        agent_id: parse_one(refused, "agent_id", query.agent_id, "is not a uuid"),
        created_after: parse_time(refused, "created_after", query.created_after),
        created_before: parse_time(refused, "created_before", query.created_before),
        q: parse_fragment(refused, query.q),
    };
    let limit = parse_limit(refused, query.limit);
    let before = parse_one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    Ok((filter, SessionPage { before, limit }, fields))
}
