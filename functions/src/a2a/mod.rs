//! The sessions of a tenant as an agent of A2A 1.0, by its HTTP+JSON and JSON-RPC bindings: a file per operation.
//! Answers and errors have the form of that protocol.

mod cancel;
mod card;
mod get;
mod json_rpc;
mod list;
mod push;
mod push_notification;
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
    kernel::error::{Code, Error},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::protocol::Protocol;
use refusal::A2aError;
pub(crate) use refusal::ErrorBody;

/// The verbs of a task follow a colon in the last segment of the path. Routes cannot match them, so [`verb`] does.
#[derive(OpenApi)]
#[openapi(paths(cancel::cancel, subscribe::subscribe))]
struct Verbs;

/// A2A defines its own form of errors and, by its message ids, its own idempotency.
pub(crate) const PROTOCOL: Protocol = Protocol { owns_path, render_error: refusal::render };

/// `/api/v1/a2a`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Verbs::openapi())
        .routes(routes!(card::card))
        .routes(routes!(card::extended))
        .routes(routes!(json_rpc::call))
        .routes(routes!(send::send))
        .routes(routes!(stream::stream))
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .route("/api/v1/a2a/{tenant}/tasks/{id}", post(verb))
        .routes(routes!(push::list, push::create))
        .routes(routes!(push::get, push::delete))
        .routes(routes!(push_notification::receive))
}

/// Whether a path belongs to the protocol. The endpoint for push notifications does not: it answers with problems.
fn owns_path(path: &str) -> bool {
    path.strip_prefix(BASE).is_some_and(|rest| rest.starts_with('/') && !rest.starts_with("/push-notifications/"))
}

/// `POST /tasks/{id}:cancel` and `POST /tasks/{id}:subscribe`.
async fn verb(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if path.ends_with(":cancel") {
        axum::handler::Handler::call(cancel::cancel, request, app).await
    } else if path.ends_with(":subscribe") {
        axum::handler::Handler::call(subscribe::subscribe, request, app).await
    } else {
        let error = Error::new(Code::MethodNotAllowed, "A task supports the verbs :cancel and :subscribe.");
        ([(header::ALLOW, "GET")], A2aError::from(error)).into_response()
    }
}
