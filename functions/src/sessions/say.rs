//! `POST /sessions/{id}/messages`: a further prompt, or the answer to the question that the session is held with.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    error::Error,
    runtime::{Answer as Given, Said},
    session::{draft::prompt, service, verbs::Progress},
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Json, Member},
    sessions::view::SessionView,
};

/// Either `text` or `answer`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    /// A further prompt.
    #[schema(min_length = 1, max_length = 10000)]
    text: Option<String>,
    /// For this one time; there is no standing approval.
    answer: Option<Given>,
}

#[utoipa::path(post, path = "/api/v1/sessions/{id}/messages", operation_id = "send_session_message", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = NewMessage, responses((status = 202, description = "The agent will be told.", body = SessionView), Problems))]
pub(super) async fn say(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    Json(new): Json<NewMessage>,
) -> Answer<After> {
    let found = service::say(&app, &caller, id, checked(new)?).await?;
    Ok(After(SessionView::of(&app, found), Progress::Accepted))
}

fn checked(new: NewMessage) -> shared::error::Result<Said> {
    match (new.text, new.answer) {
        (Some(text), None) => {
            let text = prompt(&text).map_err(|why| Error::field("text", why))?;
            Ok(Said::Text { text })
        }
        (None, Some(mut answer)) => {
            if let Some(text) = &answer.text {
                answer.text = Some(prompt(text).map_err(|why| Error::field("answer.text", why))?);
            }
            let choices = answer.choices.iter().flatten();
            if answer.choices.iter().flatten().count() > 50
                || choices.into_iter().any(|choice| choice.chars().count() > 1000 || choice.contains('\0'))
            {
                return Err(Error::field("answer.choices", "must be at most 50, each of at most 1000 characters"));
            }
            if answer.question_id.contains('\0') {
                return Err(Error::field("answer.question_id", "must not hold NUL characters"));
            }
            Ok(Said::Answer { answer })
        }
        _ => Err(Error::field("text", "send either text or answer")),
    }
}
