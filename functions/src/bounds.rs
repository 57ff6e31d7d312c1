//! How large a request may be beside its body, and how long it may take.

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
    error::{Code, Error, Result},
};

use crate::{host, problem::Failed};

/// All names and values of headers together, in bytes.
const HEADERS: usize = 32 * 1024;

/// Path and query, in bytes.
const TARGET: usize = 8 * 1024;

/// Refuses what is too large, and gives up what takes too long. The transaction of what is given up is
/// undone.
pub(crate) async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    if let Err(error) = fits(&request) {
        return Failed(error).into_response();
    }
    let limit = time_for(&app, request.extensions());
    // An answer that is a stream begins at once; how long it then goes on is not bounded here.
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("The request was given up after {} s.", limit.as_secs());
        Failed(Error::new(Code::RequestTimedOut, detail)).into_response()
    })
}

fn fits(request: &Request) -> Result<()> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET {
        return Err(Error::new(Code::UriTooLong, "The path with its query is longer than 8 KiB."));
    }
    // A colon, a blank and the end of the line, as they travel.
    let size: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > HEADERS {
        return Err(Error::new(Code::HeadersTooLarge, "The headers are larger than 32 KiB."));
    }
    Ok(())
}

/// The time for a request: as it is set, but never longer than Lambda lets us live.
fn time_for(app: &App, extensions: &Extensions) -> Duration {
    let left = extensions.get::<Context>().and_then(|context| host::time_left(context, app.clock.now()));
    left.map_or(app.settings.request_time, |left| left.min(app.settings.request_time))
}

/// How long a request may take as it begins to be worked on, for whoever waits on purpose.
pub(crate) struct TimeLeft(pub Duration);

impl FromRequestParts<App> for TimeLeft {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Self(time_for(app, &parts.extensions)))
    }
}
