//! A machine with a runner: `ioc-runner start` against a test app by a way that can be stalled, with the real Claude
//! Code and the scripted model.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, child_process::root, found, proxy::Proxy, until};
use local::scripted_model::{ScriptedModel, serve};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, interval},
};

/// Runs `ioc-runner` with these arguments after it has mounted a small file system over the data folder, which nobody
/// else sees and which ends with the process.
const ON_SMALL_DISK: &str =
    r#"mount -t tmpfs -o mode=0755,size=256m tmpfs "$0" && exec setpriv --inh-caps=-all --ambient-caps=-all "$@""#;

/// A control plane, a model, and the folder of a runner that outlives its process.
pub(super) struct Machine {
    pub(super) world: TestApp,
    pub(super) caller: Caller,
    pub(super) way: Proxy,
    url: String,
    model: ScriptedModel,
    folder: TempDir,
    /// The server of the API, and the clock.
    tasks: JoinSet<()>,
}

impl Machine {
    pub(super) async fn new() -> Self {
        Self::at(TestApp::new().await).await
    }

    /// The same, whose control plane has a clock that goes on as that of the system does until a test moves it.
    pub(super) async fn with_own_clock() -> Self {
        let clock = Clock::fixed(Clock::System.now());
        let mut machine = Self::at(TestApp::with(Options { clock: clock.clone(), ..Options::default() }).await).await;
        machine.tasks.spawn(run_clock(clock));
        machine
    }

    async fn at(world: TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let api = world.api.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, api).await.unwrap() });
        // The system's temporary folder is not visible in sandboxes.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let (way, model) = (Proxy::to(&url).await, serve("127.0.0.1:0").await.unwrap());
        let caller = world.caller(Role::Lead);
        Self { world, caller, way, url, model, folder, tasks }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the runner, and waits until it can be given work.
    pub(super) async fn start_runner(&self) -> RunnerProcess {
        let runner =
            RunnerProcess { child: self.command(&root().join("target/debug/ioc-runner"), &[]).spawn().unwrap() };
        self.wait_for_agent().await;
        runner
    }

    /// The same; its agents stop working a second after the control plane is out of reach.
    pub(super) async fn start_impatient_runner(&self) -> RunnerProcess {
        let mut command = self.command(&root().join("target/debug/ioc-runner"), &[]);
        let runner = RunnerProcess { child: command.env("RUNNER_SUSPEND_AFTER", "1").spawn().unwrap() };
        self.wait_for_agent().await;
        runner
    }

    /// The same on a data folder with little space.
    pub(super) async fn start_runner_on_small_disk(&self) -> RunnerProcess {
        let (runner, data) = (root().join("target/debug/ioc-runner"), self.data());
        let before: [&OsStr; 8] = [
            "--mount".as_ref(),
            "--propagation".as_ref(),
            "private".as_ref(),
            "sh".as_ref(),
            "-ec".as_ref(),
            ON_SMALL_DISK.as_ref(),
            data.as_os_str(),
            runner.as_os_str(),
        ];
        // Without root, in a user namespace in which the runner keeps its own user.
        let own_user: [&OsStr; 3] = ["--user".as_ref(), "--map-current-user".as_ref(), "--keep-caps".as_ref()];
        let own_user: &[&OsStr] = if nix::unistd::geteuid().is_root() { &[] } else { &own_user };
        let arguments = [own_user, &before[..]].concat();
        let runner = RunnerProcess { child: self.command("unshare".as_ref(), &arguments).spawn().unwrap() };
        self.wait_for_agent().await;
        runner
    }

    fn command(&self, program: &Path, before: &[&OsStr]) -> Command {
        let mut command = Command::new(program);
        command.args(before).args(["start", "--name", "MACHINE", "--slots", "3", "--program", "claude"]);
        command.args(["--openai-model", "stub-1", "--installed"]).arg(root().join(".local").canonicalize().unwrap());
        command.arg("--data").arg(self.data()).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("IOC_URL", self.way.url(&self.url)).env("IOC_KEY", self.world.tenant.key(Role::Lead));
        command.env("ANTHROPIC_API_KEY", "none").env("ANTHROPIC_BASE_URL", self.model.base_url());
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// The agent that the runner offers, once it may be given work.
    pub(super) async fn wait_for_agent(&self) -> String {
        found(async || {
            let agents = self.caller.get("/api/v1/agents?limit=100").await.expect(200);
            let mut healthy = agents["items"].as_array()?.iter().filter(|agent| agent["status"] == "healthy");
            healthy.find_map(|agent| agent["name"].as_str().filter(|name| name.ends_with("-CLAUDE")).map(str::to_owned))
        })
        .await
    }

    /// Starts a session whose model plays these steps.
    pub(super) async fn start_session(&self, steps: &[Value]) -> String {
        let prompt = format!("@@STUB {} @@", Value::from(steps));
        let agent = self.wait_for_agent().await;
        // It ends by no jump of a clock.
        let session =
            json!({"initial_prompt": prompt, "agent_config": {"agent": agent}, "max_duration_seconds": 86_400});
        self.caller.start_session(session).await
    }

    /// Starts a session that works until [`Machine::let_go`], and waits until its agent is at work.
    pub(super) async fn start_lasting_session(&self) -> String {
        let command = "touch started; while [ ! -e go ]; do sleep 0.05; done; echo done >done.txt";
        let work = json!({"tool": "bash", "args": {"command": command}});
        let id = self.start_session(&[work, json!({"text": "all is done"})]).await;
        self.wait_until_at_work(&id).await;
        id
    }

    pub(super) async fn wait_until_at_work(&self, id: &str) {
        until(async || self.work_tree(id).join("started").exists()).await;
    }

    /// Lets the agent of a lasting session end its work.
    pub(super) fn let_go(&self, id: &str) {
        fs::write(self.work_tree(id).join("go"), "").unwrap();
    }

    /// The same, where the agent may not have begun, or its folder may be about to go.
    pub(super) fn let_go_if_at_work(&self, id: &str) {
        if self.work_tree(id).join("started").exists() {
            let _ = fs::write(self.work_tree(id).join("go"), "");
        }
    }

    pub(super) fn work_tree(&self, id: &str) -> PathBuf {
        self.data().join("sessions").join(id).join("work")
    }

    /// When a session's work tree was created, in which one differs from the next; none where there is no work tree.
    pub(super) fn work_tree_birth(&self, id: &str) -> Option<SystemTime> {
        let folder = fs::metadata(self.work_tree(id)).ok()?;
        Some(folder.created().expect("the file system notes when a folder was created"))
    }

    /// The processes of agents, each of which has a sandbox that names the data folder.
    pub(super) fn agent_processes(&self) -> Vec<Pid> {
        let data = self.data().join("runs");
        let names_data = |id: &Pid| {
            let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&*data.to_string_lossy())
        };
        read_processes().into_iter().filter(names_data).collect()
    }

    pub(super) async fn wait_for_no_agent(&self) {
        until(async || self.agent_processes().is_empty()).await;
    }

    /// Changes the lease of a session's task past the product.
    pub(super) async fn set_lease(&self, id: &str, assignments: &str) {
        let owner = self.world.superuser().await;
        owner
            .run(&format!("update agent_tasks set {assignments} where session_id = '{id}' and status = 'leased'"))
            .await;
    }

    /// A session with its work: completed once, its events without a gap, its file delivered once.
    pub(super) async fn assert_completed_once(&self, id: &str) {
        self.assert_one_completion(id).await;
        let diff = self.caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
        let files: Vec<_> = diff["items"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
        assert!(files.contains(&json!("done.txt")), "{diff:#}");
    }

    pub(super) async fn assert_one_completion(&self, id: &str) {
        let session = self.caller.reaches(id, &["completed", "failed"]).await;
        assert_eq!(session["status"], "completed", "{session:#}");
        let states = self.caller.states(id).await;
        assert_eq!(states.iter().filter(|state| *state == "completed").count(), 1, "{states:?}");
        let events = self.caller.events(id).await;
        let said = events.iter().filter(|event| event.to_string().contains("\"all is done\"")).count();
        assert!(said >= 1, "{events:#?}");
    }

    /// How many results of tasks were accepted.
    pub(super) async fn count_results(&self) -> i64 {
        let results = "select count(*) from audit_entries where action = 'session.result'";
        self.world.superuser().await.number(results).await
    }

    /// Nothing of any session is left on the machine.
    pub(super) async fn assert_nothing_left(&self) {
        let entries = |folder: &str| fs::read_dir(self.data().join(folder)).map_or(0, Iterator::count);
        until(async || self.agent_processes().is_empty() && entries("runs") + entries("sessions") == 0).await;
    }
}

/// A process of the runner, which is killed when this is dropped.
pub(super) struct RunnerProcess {
    child: Child,
}

impl RunnerProcess {
    pub(super) fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().expect("it runs")).unwrap())
    }

    /// SIGKILL, as by the kernel that needs memory.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// The end of the whole machine: no process of the runner or of an agent notices the end of another.
    pub(super) async fn cut_power(&mut self) {
        let all: Vec<_> =
            read_processes().into_iter().filter(|id| is_below(*id, self.id())).chain([self.id()]).collect();
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for id in &all {
                let _ = kill(*id, signal);
            }
        }
        self.child.wait().await.unwrap();
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

/// Moves a clock as far as time passes.
async fn run_clock(clock: Clock) {
    let (mut ticks, mut before) = (interval(Duration::from_millis(20)), Instant::now());
    loop {
        let now = ticks.tick().await;
        clock.advance(TimeDelta::from_std(now.saturating_duration_since(before)).unwrap());
        before = now.max(before);
    }
}

/// Kills every process among these whose program is Node.
pub(super) fn kill_node(root_of_search: Pid) {
    for id in read_processes() {
        let program = fs::read_link(format!("/proc/{id}/exe")).unwrap_or_default();
        if program.ends_with("bin/node") && is_below(id, root_of_search) {
            let _ = kill(id, Signal::SIGKILL);
        }
    }
}

fn is_below(id: Pid, ancestor: Pid) -> bool {
    let mut above = parent_of(id);
    while let Some(parent) = above {
        if parent == ancestor {
            return true;
        }
        above = parent_of(parent);
    }
    false
}

fn parent_of(id: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().map(Pid::from_raw)
}

fn read_processes() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw)).collect()
}
