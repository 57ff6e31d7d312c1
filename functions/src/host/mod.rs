//! The ways we are called under Lambda: a request, a batch of messages, a call. Each binary in `src/bin` is one call into
//! here.
//!
//! Whatever is called is awaited to its end before we reply: Lambda freezes the process after the reply, and what was
//! left running would go on hours later or never.

mod authorize;
mod batch;
mod settle;

use std::time::Duration;

use axum::Router;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use shared::{
    app::App,
    clock::{Clock, Time},
    config::Config,
    error::Result,
    job::{Lane, Verdict},
    runtime::carried::Carried,
    telemetry, trainer,
};

use crate::work;

pub use authorize::{Verdict as Allowed, authorize};
pub use batch::{Batch, handle};
pub use settle::{Settled, attempt, settle};

/// What is kept of an invocation's time to report what became of it.
const MARGIN: Duration = Duration::from_millis(500);

/// What the `main` of a binary ends with: it serves until Lambda ends it, so only a failed start is ever seen.
pub type Ended = std::result::Result<(), Error>;

/// Puts the app of a function together, once, when its process starts, with the runtimes that it `carries`. Nothing is
/// connected before it is needed.
pub fn start(carries: Carried) -> std::result::Result<App, Error> {
    start_to_train(carries, trainer::carried::none)
}

/// The same, of a function that has models made by whom it `trains` with.
pub fn start_to_train(carries: Carried, trains: trainer::carried::Carried) -> std::result::Result<App, Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_format, &config.log_filter);
    crate::health::built_from(&config.commit);
    if config.sqs.is_none() {
        return Err(Error::from("DISPATCH_QUEUE_URL must be set: jobs in a function's memory would be frozen with it"));
    }
    Ok(config.build(Clock::System, carries, trains)?)
}

/// Serves the routes of one area to API Gateway.
///
/// The stage is no part of our paths: the template sets `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH`.
pub async fn requests(routes: Router) -> Ended {
    lambda_http::run(routes).await
}

/// Answers API Gateway whether a request may reach its function. The function decides once more, and alone.
pub async fn authorizations(app: App) -> Ended {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let app = &app;
        Box::pin(async move { Ok::<_, Error>(authorize(app, event.payload).await) })
    }))
    .await
}

/// Answers what API Gateway tells of the connections that it holds.
pub async fn sockets(app: App) -> Ended {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let app = &app;
        Box::pin(async move { Ok::<_, Error>(crate::live::gateway::answer(app, event.payload).await) })
    }))
    .await
}

/// Works off the messages of one lane that SQS hands over in batches.
pub async fn messages(lane: Lane, app: App) -> Ended {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Batch>| {
        let time_left = time_left(&event.context, app.clock.now());
        let app = &app;
        Box::pin(async move { handle(&app.queue, lane, event.payload, time_left, &|job| work::run(app, job)).await })
    }))
    .await
}

/// Does one thing each time it is called, by a schedule or by hand. What comes along with the call is not looked at.
pub async fn calls<W, F>(work: W) -> Ended
where
    W: Fn() -> F,
    F: Future<Output = Result<Verdict>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let time_left = time_left(&event.context, Clock::System.now());
        let work = attempt(work(), time_left);
        Box::pin(async move {
            match work.await {
                // The next call comes by itself, so there is nothing to put off.
                Ok(Verdict::Done | Verdict::Later(_)) => Ok(json!({"verdict": "done"})),
                Ok(Verdict::Never(error)) | Err(error) => {
                    tracing::error!(?error, "the work failed");
                    // Lambda counts it for the function's alarms, and shows it to whoever called.
                    Err(Error::from(error))
                }
            }
        })
    }))
    .await
}

/// How long an invocation may still take. A deadline that is over before we began is none: `cargo lambda watch` always
/// says that it is ten minutes past the beginning of 1970.
pub(crate) fn time_left(context: &Context, now: Time) -> Option<Duration> {
    let deadline = Duration::from_millis(context.deadline);
    let now = Duration::from_millis(u64::try_from(now.timestamp_millis()).unwrap_or(0));
    deadline.checked_sub(now).map(|left| left.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_past_is_an_unknown_one() {
        let now = Clock::System.now();
        let due = |millis: i64| {
            let mut context = Context::default();
            context.deadline = u64::try_from(now.timestamp_millis() + millis).unwrap();
            time_left(&context, now)
        };
        assert_eq!(due(10_000), Some(Duration::from_millis(9_500)));
        assert_eq!(due(100), Some(Duration::ZERO));
        assert_eq!(due(-1), None);
        let mut watched = Context::default();
        watched.deadline = 600_000;
        assert_eq!(time_left(&watched, now), None);
    }
}
