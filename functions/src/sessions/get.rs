//! `GET /sessions/{id}`: one session, now or when it ends or asks.

use std::{collections::BTreeMap, time::Duration};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::{
    agents::{
        eap::server::{
            phase::RunPhase,
            run_progress::{RunProgress, find_run_progress},
        },
        registry::Kind,
    },
    app::App,
    kernel::{
        error::{Result, ValidationErrors},
        id::RunnerId,
    },
    sessions::{Session, service, status::Status},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        layers::request_bounds::TimeLeft,
        problem::HandlerResult,
        query::parse_one,
        request::{Caller, Query, SessionPath, Viewer},
        version::{Versioned, VersionedJson},
    },
    sessions::view::SessionView,
};

/// The longest wait, in seconds.
const LONGEST: u64 = 20;

/// How much of a request's time is left for its answer.
const SPARE: Duration = Duration::from_secs(3);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// For how many seconds to wait until the session is as `until` says. It is answered as it is when they are over.
    /// Default: 0.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 20)]
    wait: Option<String>,
    /// What to wait for: `ended` (default), or `asks`: the session asks for an answer, or has ended.
    #[param(inline, value_type = Option<WaitGoal>)]
    until: Option<String>,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum WaitGoal {
    /// The session is over.
    Ended,
    /// The session asks for an answer, or is over.
    Asks,
}

impl WaitGoal {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "ended" => Some(Self::Ended),
            "asks" => Some(Self::Asks),
            _ => None,
        }
    }

    fn is_reached(self, session: &Session) -> bool {
        let asks = session.status == Status::Paused && session.pause.question.is_some();
        session.status.is_over() || (matches!(self, Self::Asks) && asks)
    }
}

impl WaitQuery {
    fn parse(self) -> Result<(Duration, WaitGoal)> {
        let mut refusals = ValidationErrors::default();
        let seconds = parse_one(&mut refusals, "wait", self.wait, "must be 0 to 20").unwrap_or(0);
        if seconds > LONGEST {
            refusals.add("wait", "must be 0 to 20");
        }
        let goal = self.until.map_or(Some(WaitGoal::Ended), |text| WaitGoal::parse(&text));
        if goal.is_none() {
            refusals.add("until", "must be ended or asks");
        }
        refusals.into_result()?;
        Ok((Duration::from_secs(seconds), goal.unwrap_or(WaitGoal::Ended)))
    }
}

/// A session, with where and how far its current run is.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionDetails {
    #[serde(flatten)]
    session: SessionView,
    /// The runner that works on the session, or last did; absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_id: Option<RunnerId>,
    /// How many milliseconds each phase of the current run took, by its name: `claimed`, `cloning`, `setup`,
    /// `starting`, `working`, `checks`, `delivering`. The phase that lasts is not contained; absent if none was
    /// reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, i64>>)]
    start_breakdown_ms: Option<BTreeMap<RunPhase, i64>>,
}

impl SessionDetails {
    fn of(session: SessionView, progress: &RunProgress) -> Self {
        Self { session, runner_id: progress.runner_id, start_breakdown_ms: progress.phases.durations() }
    }
}

impl Versioned for SessionDetails {
    fn location(&self) -> String {
        self.session.location()
    }

    fn version(&self) -> Option<i64> {
        self.session.version()
    }
}

/// Get a session
///
/// Returns one session with its status, usage and outcome. With `wait` it is returned as soon as it has ended, or as
/// soon as it asks for an answer, and at the latest after as many seconds.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", operation_id = "get_session", tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "The id of the session."), WaitQuery),
    responses((status = 200, description = "The session.", body = SessionDetails,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    SessionPath(id): SessionPath,
    TimeLeft(left): TimeLeft,
    Query(query): Query<WaitQuery>,
) -> HandlerResult<VersionedJson<SessionDetails>> {
    let (wait, goal) = query.parse()?;
    let most = wait.min(left.saturating_sub(SPARE));
    let found = service::wait_until(&app, &caller, id, |session| goal.is_reached(session), most).await?;
    let is_of_protocol = found.agent.as_ref().is_some_and(|(_, kind)| kind == Kind::Eap.name());
    let progress = if is_of_protocol { find_run_progress(&app, &caller, id).await? } else { RunProgress::default() };
    Ok(VersionedJson(SessionDetails::of(SessionView::of(&app, found), &progress)))
}
