//! The representation of a runner.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    agents::{
        eap::server::phase::RunPhase,
        runners::{HeldTask, Isolation, RunnerDetails, RunnerJob, RunnerState},
    },
    kernel::{
        actor::Actor,
        clock::Time,
        id::{AgentId, ExternalTaskId, RunnerId, SessionId},
    },
};
use utoipa::ToSchema;

/// A runner: a machine on which the agents of a pool work.
#[derive(Serialize, ToSchema)]
#[schema(as = Runner)]
pub(super) struct RunnerView {
    /// The id of the runner.
    pub(super) id: RunnerId,
    /// The pool that the runner belongs to.
    pool: String,
    /// The name of the runner, unique in its pool.
    name: String,
    /// The state of the runner.
    state: RunnerState,
    /// The version of the runner's software.
    version: String,
    /// The operating system.
    os: String,
    /// The architecture of the processor.
    arch: String,
    /// Free-form labels.
    labels: BTreeMap<String, String>,
    /// How many sessions it works on at once.
    slots: i32,
    /// How many slots are in use, by tasks of all tenants. A task that waits for a person uses none.
    busy: i64,
    /// How it separates sessions.
    isolation: Isolation,
    /// Why the isolation is not stronger; null if it said nothing.
    isolation_reason: Option<String>,
    /// The programs that it offers.
    programs: Vec<ProgramView>,
    /// Whether a lead drains it.
    drain_requested: bool,
    /// When it last called.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Time,
    /// The creator of the enrolment that it came with.
    created_by: Actor,
    /// When it registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// The version of the External Agent Protocol that it speaks.
    protocol_version: String,
}

/// A program that a runner offers, with the agent that stands for it.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgramOfRunner)]
struct ProgramView {
    /// The name of the program.
    program: String,
    /// The version of the program; null if unknown.
    version: Option<String>,
    /// The agent that stands for the program in the pool; null if it was removed.
    agent_id: Option<AgentId>,
}

impl From<RunnerDetails> for RunnerView {
    fn from(RunnerDetails { runner, busy, agents }: RunnerDetails) -> Self {
        let programs = runner.programs.into_iter().map(|offered| ProgramView {
            agent_id: agents.get(&offered.program).copied(),
            program: offered.program,
            version: offered.version,
        });
        Self {
            id: runner.id,
            pool: runner.pool,
            name: runner.name,
            state: runner.state,
            version: runner.version,
            os: runner.os,
            arch: runner.arch,
            labels: runner.labels,
            slots: runner.slots,
            busy,
            isolation: runner.isolation,
            isolation_reason: runner.isolation_reason,
            programs: programs.collect(),
            drain_requested: runner.drain_requested,
            last_seen_at: runner.last_seen_at,
            created_by: runner.created_by,
            created_at: runner.created_at,
            protocol_version: runner.protocol_version,
        }
    }
}

/// A runner with its tasks.
#[derive(Serialize, ToSchema)]
#[schema(as = RunnerWithTasks)]
pub(super) struct RunnerWithTasksView {
    #[serde(flatten)]
    runner: RunnerView,
    /// The tasks that it holds, oldest first: only those of the caller's tenant.
    tasks: Vec<TaskView>,
}

/// A task that a runner works on.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskOfRunner)]
struct TaskView {
    /// The id of the task.
    task_id: ExternalTaskId,
    /// The session.
    session_id: SessionId,
    /// The title of the session.
    session_title: Option<String>,
    /// The agent that the runner works as.
    agent_id: AgentId,
    /// The program that works on it; null if its agent was removed.
    program: Option<String>,
    /// When the runner claimed it.
    #[schema(value_type = Option<String>, format = DateTime)]
    leased_at: Option<Time>,
    /// When its lease ends unless a report renews it.
    #[schema(value_type = String, format = DateTime)]
    lease_expires_at: Time,
    /// The phase that the run is in; null if unknown.
    phase: Option<RunPhase>,
    /// The memory that the session uses, in MiB; null if unknown.
    rss_mb: Option<f64>,
    /// The processor time that the session uses, in percent of one processor; null if unknown.
    cpu_percent: Option<f64>,
}

impl RunnerWithTasksView {
    pub(super) fn of(details: RunnerDetails, tasks: Vec<HeldTask>) -> Self {
        let task_view = |held: HeldTask| {
            let job = details.runner.jobs.iter().find(|job| job.task_id == held.task_id);
            let program = details.agents.iter().find(|(_, agent)| **agent == held.agent_id);
            TaskView::of(held, job, program.map(|(program, _)| program.clone()))
        };
        let tasks = tasks.into_iter().map(task_view).collect();
        Self { runner: details.into(), tasks }
    }
}

impl TaskView {
    /// `job` is what the runner last reported of the task.
    fn of(held: HeldTask, job: Option<&RunnerJob>, program: Option<String>) -> Self {
        let claimed_at = held.phases.began_at(RunPhase::Claimed);
        Self {
            task_id: held.task_id,
            session_id: held.session_id,
            session_title: held.session_title,
            agent_id: held.agent_id,
            program,
            leased_at: claimed_at.and_then(Time::from_timestamp_millis),
            lease_expires_at: held.lease_until,
            phase: job.and_then(|job| job.phase).or_else(|| held.phases.current()),
            rss_mb: job.and_then(|job| job.rss_mb),
            cpu_percent: job.and_then(|job| job.cpu_percent),
        }
    }
}
