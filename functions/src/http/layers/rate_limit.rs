//! Rate limits. The caller is identified here, once, before the request is processed any further.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use shared::{
    app::App,
    identity::rate_limits::{
        WINDOW,
        service::{LimitStatus, RateDecision, begin_call, count_call},
    },
    kernel::error::{Code, Error, Result},
};

use crate::http::{problem::ApiError, request::identify_caller};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Passes on a request with a valid credential while its limits allow it. Every answer reports the limits.
pub(super) async fn rate_limit_layer(State(app): State<App>, request: Request, next: Next) -> Response {
    // Without a credential the endpoint itself refuses the request, if it requires one.
    if !has_credential(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let checked: Result<_> = async {
        let identity = identify_caller(&parts, &app).await?;
        let decision = count_call(&app, &identity).await?;
        Ok((identity, decision))
    }
    .await;
    let (identity, RateDecision { wait, limits }) = match checked {
        Ok(checked) => checked,
        Err(error) => return ApiError(error).into_response(),
    };
    let mut response = if let Some(wait) = wait {
        too_many_requests(format!("Too many requests; retry in {} s.", seconds_of(wait)), wait)
    } else {
        match begin_call(&app, &identity).await {
            Err(error) => too_many_requests(error.detail().to_owned(), Duration::ZERO),
            Ok(call) => {
                parts.extensions.insert(identity);
                parts.extensions.insert(call.clone());
                let response = next.run(Request::from_parts(parts, body)).await;
                call.end_turn();
                response
            }
        }
    };
    report_limits(response.headers_mut(), &limits);
    response
}

/// Whether a request to the API carries a credential.
fn has_credential(request: &Request) -> bool {
    let guarded = request
        .extensions()
        .get::<MatchedPath>()
        .is_some_and(|path| path.as_str().starts_with("/api/") || path.as_str().starts_with("/ws/"));
    let headers = request.headers();
    guarded && (headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-agent-token"))
}

fn too_many_requests(detail: String, wait: Duration) -> Response {
    let mut response = ApiError(Error::new(Code::RateLimited, detail)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, seconds_of(wait).into());
    response
}

/// The value of `Retry-After`.
fn seconds_of(wait: Duration) -> u64 {
    whole_seconds(wait).max(1)
}

/// Adds the headers of the IETF draft: `RateLimit-Policy: "key";q=600;w=60` and `RateLimit: "key";r=599;t=1`.
fn report_limits(headers: &mut HeaderMap, limits: &[LimitStatus]) {
    let join = |part: &dyn Fn(&LimitStatus) -> String| limits.iter().map(part).collect::<Vec<_>>().join(", ");
    let policy = join(&|one| format!("\"{}\";q={};w={}", one.name, one.per_minute, WINDOW.as_secs()));
    let limit = join(&|one| format!("\"{}\";r={};t={}", one.name, one.left, whole_seconds(one.full_in)));
    for (name, text) in [(POLICY, policy), (LIMIT, limit)] {
        if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_str(&text)) {
            headers.insert(name, value);
        }
    }
}

/// Whole seconds, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
