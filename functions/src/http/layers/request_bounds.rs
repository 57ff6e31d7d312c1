//! Bounds of a request: the size of its headers and target, and its time.

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{Extensions, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use lambda_http::Context;
use shared::{
    app::App,
    identity::concurrent_calls::CallInProgress,
    kernel::error::{Code, Error, Result},
    platform::postgres::run_request,
};

use crate::http::{deadline::time_left, problem::ApiError};

/// The largest size of all headers together, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

/// The largest size of path and query, in bytes.
const MAX_TARGET: usize = 8 * 1024;

/// Refuses a request that is too large, and cancels one that takes too long; its transaction is rolled back.
pub(super) async fn request_bounds_layer(State(app): State<App>, request: Request, next: Next) -> Response {
    if let Err(error) = check_size(&request) {
        return ApiError(error).into_response();
    }
    let limit = time_limit(&app, request.extensions());
    // The limit applies to the beginning of an answer: a stream may last longer.
    tokio::time::timeout(limit, run_request(next.run(request))).await.unwrap_or_else(|_| {
        let detail = format!("The request was cancelled after {} s.", limit.as_secs());
        ApiError(Error::new(Code::RequestTimedOut, detail)).into_response()
    })
}

fn check_size(request: &Request) -> Result<()> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return Err(Error::new(Code::UriTooLong, "The path with its query is longer than 8 KiB."));
    }
    // Per header: a colon, a space and the end of the line.
    let size: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > MAX_HEADERS {
        return Err(Error::new(Code::HeadersTooLarge, "The headers are larger than 32 KiB."));
    }
    Ok(())
}

/// The time for a request: the configured limit, or the time that Lambda has left if that is shorter.
fn time_limit(app: &App, extensions: &Extensions) -> Duration {
    let left = extensions.get::<Context>().and_then(|context| time_left(context, app.clock.now()));
    left.map_or(app.settings.request_time, |left| left.min(app.settings.request_time))
}

/// The time limit of the request, for handlers that wait on purpose. A request that waits is not counted as in
/// progress.
pub(crate) struct TimeLeft(pub Duration);

impl FromRequestParts<App> for TimeLeft {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if let Some(call) = parts.extensions.get::<CallInProgress>() {
            call.end_turn();
        }
        Ok(Self(time_limit(app, &parts.extensions)))
    }
}
