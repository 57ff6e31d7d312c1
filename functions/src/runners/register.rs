//! `POST /runners/register`: a runner enrols in a pool, or says what has changed of it.

use axum::extract::State;
use serde::Serialize;
use shared::{
    agents::runners::{
        register::{self, RegisteredRunner},
        registration::{NewRunner, RunnerRegistration},
    },
    app::App,
    kernel::id::{AgentId, RunnerId},
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Json, RegisteringRunner},
    version::{Created, Versioned},
};

/// A runner that was registered.
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredRunner)]
pub(super) struct RegisteredView {
    /// The id of the runner.
    runner_id: RunnerId,
    /// The credential that the runner sends as `Authorization: Bearer <credential>`. It is shown only once; null for a
    /// runner that has one.
    #[schema(required)]
    credential: Option<String>,
    /// The agents whose tasks the runner claims.
    agents: Vec<AgentOfRunner>,
    /// The interval between heartbeats in seconds.
    heartbeat_seconds: f64,
    /// The longest wait of a claim in seconds.
    poll_seconds: f64,
    /// The URL of the WebSocket with the signals for the runner. Null: `/ws/runners/{id}` at the address of the API.
    #[schema(required)]
    signals_url: Option<String>,
}

/// The agent that a runner works as with one of its programs.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentOfRunner {
    /// The name of the program.
    program: String,
    /// The id of the agent.
    agent_id: AgentId,
}

impl From<RegisteredRunner> for RegisteredView {
    fn from(runner: RegisteredRunner) -> Self {
        let agents = runner.agents.into_iter().map(|(program, agent_id)| AgentOfRunner { program, agent_id });
        Self {
            runner_id: runner.runner_id,
            credential: runner.credential,
            agents: agents.collect(),
            heartbeat_seconds: runner.heartbeat_interval.as_secs_f64(),
            poll_seconds: runner.poll.as_secs_f64(),
            signals_url: runner.signals_url,
        }
    }
}

impl Versioned for RegisteredView {
    fn location(&self) -> String {
        format!("/api/v1/runners/{}", self.runner_id)
    }

    fn version(&self) -> Option<i64> {
        None
    }

    fn has_secret(&self) -> bool {
        true
    }
}

/// Register a runner
///
/// Registers a runner with an enrolment token, and returns its credential, which is shown only once. One agent stands
/// for each of its programs on all runners of the pool. A runner of the same name that is offline is replaced. A
/// runner that was restarted calls this with its credential, to say what has changed.
#[utoipa::path(post, path = "/api/v1/runners/register", operation_id = "register_runner", tag = "runners",
    request_body = NewRunner, security(("enrolment_token" = []), ("runner_credential" = [])),
    responses((status = 201, description = "The registered runner with its credential.", body = RegisteredView,
        headers(("Location" = String, description = "The URL of the created object."))),
        (status = 409, description = "The pool has a runner of this name that is not offline, or the tenant another agent of the name.")))]
pub(super) async fn register(
    State(app): State<App>,
    caller: RegisteringRunner,
    Json(new): Json<NewRunner>,
) -> HandlerResult<Created<RegisteredView>> {
    let registration = RunnerRegistration::parse(new)?;
    let registered = match caller {
        RegisteringRunner::New(enrolment) => Box::pin(register::register(&app, &enrolment, &registration)).await?,
        RegisteringRunner::Known(runner) => Box::pin(register::update(&app, &runner, &registration)).await?,
    };
    Ok(Created(registered.into()))
}
