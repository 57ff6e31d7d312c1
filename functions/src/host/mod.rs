//! How Lambda calls us: a request, a batch of messages, an invocation. Each binary in `src/bin` is one call of a
//! function here.
//!
//! All work is awaited before we return: Lambda freezes the process after the reply, and work that is still running
//! would continue hours later or never.

mod authorize;
mod batch;
mod message;

use axum::Router;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use shared::{
    app::{App, config::Config, runtimes::RuntimeFactory, trainers},
    kernel::{clock::Clock, error::Result, telemetry},
    platform::queue::job::{JobOutcome, QueueName},
};

use crate::{http::deadline::time_left, jobs};

pub use authorize::{AuthorizerDecision, authorize};
pub use batch::{Batch, process_batch};
pub use message::{MessageDisposition, run_with_timeout, settle_message};

/// The result of the `main` of a binary. It serves until Lambda ends it, so only a failed start is ever returned.
pub type HostResult = std::result::Result<(), Error>;

/// Builds the app of a function when its process starts, with the agent runtimes that the function needs. Connections
/// are opened at first use.
pub fn build_app(runtimes: RuntimeFactory) -> std::result::Result<App, Error> {
    build_training_app(runtimes, trainers::no_trainers)
}

/// Builds the app of a function that also needs trainers.
pub fn build_training_app(
    runtimes: RuntimeFactory,
    trainers: trainers::TrainerFactory,
) -> std::result::Result<App, Error> {
    let config = Config::from_env()?;
    telemetry::start_logging(config.log_format, &config.log_filter);
    crate::health::set_commit(&config.commit);
    if config.sqs.is_none() {
        let reason = "DISPATCH_QUEUE_URL must be set: Lambda would freeze jobs in the memory of a function";
        return Err(Error::from(reason));
    }
    Ok(config.build(Clock::System, runtimes, trainers)?)
}

/// Serves the routes of one area to API Gateway.
///
/// The stage is not part of our paths: the template sets `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH`.
pub async fn serve_http(routes: Router) -> HostResult {
    lambda_http::run(routes).await
}

/// Decides for API Gateway whether a request may reach its function. The function decides again by itself.
pub async fn serve_authorizer(app: App) -> HostResult {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let app = &app;
        Box::pin(async move { Ok::<_, Error>(authorize(app, event.payload).await) })
    }))
    .await
}

/// Handles the connection events of API Gateway's WebSocket API.
pub async fn serve_websocket_events(app: App) -> HostResult {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let app = &app;
        Box::pin(async move { Ok::<_, Error>(crate::live::gateway::handle_event(app, event.payload).await) })
    }))
    .await
}

/// Processes the messages of one queue, which SQS delivers in batches.
pub async fn serve_queue(queue_name: QueueName, app: App) -> HostResult {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Batch>| {
        let time_left = time_left(&event.context, app.clock.now());
        let app = &app;
        Box::pin(async move {
            process_batch(&app.queue, queue_name, event.payload, time_left, &|job| jobs::run(app, job)).await
        })
    }))
    .await
}

/// Runs `work` at each invocation, by a schedule or by hand. The payload of the invocation is ignored.
pub async fn serve_invocations<W, F>(work: W) -> HostResult
where
    W: Fn() -> F,
    F: Future<Output = Result<JobOutcome>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let time_left = time_left(&event.context, Clock::System.now());
        let work = run_with_timeout(work(), time_left);
        Box::pin(async move {
            match work.await {
                // The next invocation comes by itself, so a delay needs no message.
                Ok(JobOutcome::Complete | JobOutcome::Snooze(_)) => Ok(json!({"verdict": "done"})),
                Ok(JobOutcome::Discard(error)) | Err(error) => {
                    tracing::error!(?error, "the invocation failed");
                    // Lambda counts the error for the function's alarms and returns it to the invoker.
                    Err(Error::from(error))
                }
            }
        })
    }))
    .await
}
