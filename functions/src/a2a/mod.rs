//! The sessions of a tenant as an agent of A2A 1.0, by its HTTP+JSON binding: a file per verb. Answers and errors have the
//! form of that protocol.

mod cancel;
mod card;
mod doorbell;
mod get;
mod list;
mod push;
mod refusal;
mod request;
mod send;
mod stream;
mod subscribe;

use axum::{
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
    routing::post,
};
use shared::{
    a2a::card::BASE,
    app::App,
    error::{Code, Error},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use refusal::Refused;
pub(crate) use refusal::{A2aError as ErrorBody, render};

/// The verbs of a task stand behind a colon in the last segment, which no route can name apart: [`verb`] tells them apart.
#[derive(OpenApi)]
#[openapi(paths(cancel::cancel, subscribe::subscribe))]
struct Verbs;

/// Everything under `/api/v1/a2a` and `/api/v1/doorbells`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Verbs::openapi())
        .routes(routes!(card::card))
        .routes(routes!(send::send))
        .routes(routes!(stream::stream))
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .route("/api/v1/a2a/{tenant}/tasks/{id}", post(verb))
        .routes(routes!(push::list, push::create))
        .routes(routes!(doorbell::ring))
}

/// Whether a path belongs to the protocol.
pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(BASE).is_some_and(|rest| rest.starts_with('/'))
}

/// `POST /tasks/{id}:cancel` and `POST /tasks/{id}:subscribe`.
async fn verb(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if path.ends_with(":cancel") {
        axum::handler::Handler::call(cancel::cancel, request, app).await
    } else if path.ends_with(":subscribe") {
        axum::handler::Handler::call(subscribe::subscribe, request, app).await
    } else {
        let error = Error::new(Code::MethodNotAllowed, "A task takes the verbs :cancel and :subscribe.");
        ([(header::ALLOW, "GET")], Refused::from(error)).into_response()
    }
}
