//! `Idempotency-Key` on POST, PUT, PATCH and DELETE, without the knowledge of handlers.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts, response::Parts as ResponseParts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use shared::{
    app::App,
    identity::{
        auth::CallerIdentity,
        idempotency::{self, KeyClaim, MAX_KEY_LENGTH, StoredResponse},
    },
    kernel::error::{Error, Result},
    platform::postgres::unit_of_work::MOST_ATTEMPTS,
};

use crate::http::{
    problem::{ApiError, attached_error},
    protocol::Protocol,
    request::{BODY_LIMIT, identify_caller, read_body},
    version::HasSecret,
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// Runs a request that carries a key once, and repeats its answer when the request is repeated.
pub(super) async fn idempotency_layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let applies = matches!(*request.method(), Method::POST | Method::PATCH | Method::DELETE | Method::PUT);
    // A protocol of its own brings its own idempotency.
    let applies = applies && request.extensions().get::<Protocol>().is_none();
    if !applies || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    run_once(&app, request, next).await.unwrap_or_else(|error| ApiError(error).into_response())
}

async fn run_once(app: &App, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let key = key(&parts)?;
    let identity = identify_caller(&parts, app).await?;
    parts.extensions.insert(identity.clone());
    let CallerIdentity::Caller(caller) = identity else {
        // The calls of an agent are idempotent by their task.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let body = read_body(body, app, BODY_LIMIT).await?;
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |target| target.as_str()).to_owned();
    let method = parts.method.clone();
    let sent = idempotency::KeyedRequest { key: &key, method: method.as_str(), target: &target, body: &body };
    let attempt = || {
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        carry_out(app, idempotency::claim_key(app, &caller, &sent), request, next.clone())
    };
    let mut outcome = Box::pin(attempt()).await;
    for _ in 1..MOST_ATTEMPTS {
        if !is_outdated(&outcome) {
            break;
        }
        outcome = Box::pin(attempt()).await;
    }
    outcome
}

/// Whether nothing was done because the work assumed something that is no longer true.
fn is_outdated(outcome: &Result<Response>) -> bool {
    match outcome {
        Ok(response) => attached_error(response).is_some_and(Error::is_repeatable),
        Err(error) => error.is_repeatable(),
    }
}

async fn carry_out(app: &App, claimed: KeyClaim, request: Request, next: Next) -> Result<Response> {
    let response = claimed.run_with_key(next.run(request)).await;
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        // What the caller may do now decides, not what it might do at the first request.
        return Ok(response);
    }
    if !response.status().is_success() {
        // Nothing was committed, so the request may be repeated with the same key.
        let earlier = Box::pin(claimed.stored_response(app)).await?;
        return Ok(earlier.map_or(response, replayed));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Error::internal)?.to_bytes();
    let answer = to_stored(&parts, &body);
    let earlier = Box::pin(claimed.commit_response(app, &answer)).await?;
    Ok(earlier.map_or_else(|| Response::from_parts(parts, Body::from(body)), replayed))
}

/// The response as it is kept for a repetition.
fn to_stored(parts: &ResponseParts, body: &[u8]) -> StoredResponse {
    if parts.extensions.get::<HasSecret>().is_some() {
        return StoredResponse::without_secret(parts.headers.get(header::LOCATION).map(HeaderValue::as_bytes));
    }
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    StoredResponse { status: parts.status.as_u16(), headers: headers.collect(), body: body.to_vec() }
}

fn key(parts: &Parts) -> Result<String> {
    let refusal = || {
        Error::invalid_field(
            "Idempotency-Key",
            format!("must be sent once, with 1 to {MAX_KEY_LENGTH} visible characters"),
        )
    };
    let mut values = parts.headers.get_all(KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(refusal()) };
    let text = value.to_str().map_err(|_| refusal())?;
    let fits = (1..=MAX_KEY_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(refusal()) }
}

fn replayed(answer: StoredResponse) -> Response {
    if let Some(error) = answer.secret_error() {
        let mut response = ApiError(error).into_response();
        response.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
        return response;
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(REPLAY, HeaderValue::from_static("true"));
    response
}
