//! `Idempotency-Key` on any POST, PATCH or DELETE: handlers know nothing of it.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use shared::{
    app::App,
    auth::service::Identity,
    error::{Error, Result},
    idempotency::{self, Answer, MAX_KEY},
};

use crate::{
    problem::Failed,
    request::{BODY_LIMIT, who, whole},
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// Runs a request that carries a key once, and answers it again when it comes again.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    let applies = matches!(*request.method(), Method::POST | Method::PATCH | Method::DELETE | Method::PUT);
    // The messages of A2A are idempotent by their own ids, and may be waited on.
    let applies = applies && !crate::a2a::is_below(request.uri().path());
    if !applies || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    answer_once(&app, request, next).await.unwrap_or_else(|error| Failed(error).into_response())
}

async fn answer_once(app: &App, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let key = key(&parts)?;
    let identity = who(&parts, app).await?;
    parts.extensions.insert(identity.clone());
    let Identity::Caller(caller) = identity else {
        // An agent's calls are idempotent by their task.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let body = whole(body, app, BODY_LIMIT).await?;
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |target| target.as_str()).to_owned();
    let method = parts.method.clone();
    let asked = idempotency::Request { key: &key, method: method.as_str(), target: &target, body: &body };
    let claimed = idempotency::claim(app, &caller, &asked);
    let response = claimed.scope(next.run(Request::from_parts(parts, Body::from(body.clone())))).await;
    if !response.status().is_success() {
        // Nothing of it was committed, so the request may be sent again with the same key.
        let earlier = Box::pin(claimed.earlier(app)).await?;
        return Ok(earlier.map_or(response, replayed));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Error::internal)?.to_bytes();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let answer = Answer { status: parts.status.as_u16(), headers: headers.collect(), body: body.to_vec() };
    let earlier = Box::pin(claimed.finish(app, &answer)).await?;
    Ok(earlier.map_or_else(|| Response::from_parts(parts, Body::from(body)), replayed))
}

fn key(parts: &Parts) -> Result<String> {
    let refusal =
        || Error::field("Idempotency-Key", format!("must be sent once, with 1 to {MAX_KEY} visible characters"));
    let mut values = parts.headers.get_all(KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(refusal()) };
    let text = value.to_str().map_err(|_| refusal())?;
    let fits = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(refusal()) }
}

fn replayed(answer: Answer) -> Response {
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
