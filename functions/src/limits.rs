//! Who calls is asked once, before anything else is done for the call; and how many calls come is limited.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use shared::{
    app::App,
    error::{Code, Error, Result},
    limits::{
        WINDOW,
        service::{Standing, Verdict, count},
    },
};

use crate::{problem::Failed, request::who};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Lets a call with a credential through when it is good and within its limits; every answer says how many are left.
pub(crate) async fn counted(State(app): State<App>, request: Request, next: Next) -> Response {
    // Without a credential the endpoint itself refuses, if it asks for one.
    if !brings_a_credential(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let asked: Result<_> = async {
        let identity = who(&parts, &app).await?;
        let verdict = count(&app, &identity).await?;
        Ok((identity, verdict))
    }
    .await;
    let (identity, Verdict { wait, standings }) = match asked {
        Ok(asked) => asked,
        Err(error) => return Failed(error).into_response(),
    };
    let mut response = if let Some(wait) = wait {
        refused(wait)
    } else {
        parts.extensions.insert(identity);
        next.run(Request::from_parts(parts, body)).await
    };
    tell(response.headers_mut(), &standings);
    response
}

/// Whether a request to the API carries what says who sends it.
fn brings_a_credential(request: &Request) -> bool {
    let guarded = request
        .extensions()
        .get::<MatchedPath>()
        .is_some_and(|path| path.as_str().starts_with("/api/") || path.as_str().starts_with("/ws/"));
    let headers = request.headers();
    guarded && (headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-agent-token"))
}

fn refused(wait: Duration) -> Response {
    let seconds = up(wait).max(1);
    let detail = format!("Too many calls came; the next may come in {seconds} s.");
    let mut response = Failed(Error::new(Code::RateLimited, detail)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// In the form of the IETF's draft: `RateLimit-Policy: "key";q=600;w=60` and `RateLimit: "key";r=599;t=1`.
fn tell(headers: &mut HeaderMap, standings: &[Standing]) {
    let join = |part: &dyn Fn(&Standing) -> String| standings.iter().map(part).collect::<Vec<_>>().join(", ");
    let policy = join(&|one| format!("\"{}\";q={};w={}", one.name, one.per_minute, WINDOW.as_secs()));
    let limit = join(&|one| format!("\"{}\";r={};t={}", one.name, one.left, up(one.full_in)));
    for (name, text) in [(POLICY, policy), (LIMIT, limit)] {
        if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_str(&text)) {
            headers.insert(name, value);
        }
    }
}

/// Whole seconds, rounded up.
fn up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
