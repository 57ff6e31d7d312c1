//! The set-up script of an environment, in a real sandbox.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use runner::{
    acp::PermissionPolicy,
    control_plane::environment::SetupScript,
    egress::{DeniedConnection, EgressPolicy, EgressSettings},
    gateway::build_upstream_client,
    job::{JobContext, OutageLimits, RunEnd, SessionLocks, SessionSlots, setup::SetupRun},
    programs::DefaultModels,
    sandbox::{AgentUserPool, Isolation, SandboxLimits, choose_method, probe_isolation},
    secret_mask::SecretMask,
    workspace::{Owner, Workspace, WorkspaceSettings, WorkspaceSource, Workspaces},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::sandbox::support::programs;

const NEVER: Duration = Duration::from_hours(1);

/// A prepared session on a runner.
struct Session {
    context: JobContext,
    workspace: Workspace,
    folder: TempDir,
}

impl Session {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The agent's user passes through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let programs = programs();
        let report = probe_isolation(&programs).await;
        let method = choose_method(report, Isolation::Sandbox).unwrap();
        let owner = method.agent_user().map(|user| Owner { uid: user.uid, gid: user.gid });
        let settings = WorkspaceSettings { owner, ..WorkspaceSettings::of_process() };
        let workspaces = Workspaces::open(&folder.path().join("data"), settings).unwrap();
        let workspace = workspaces.prepare("own", "session", &WorkspaceSource::default()).await.unwrap();
        let runs = folder.path().join("runs");
        fs::create_dir_all(&runs).unwrap();
        let context = JobContext {
            workspaces,
            method,
            outage: OutageLimits { suspend_after: NEVER, give_up_after: NEVER },
            slots: SessionSlots::new(1),
            users: AgentUserPool::new(programs.agent_user),
            egress: EgressSettings::default(),
            providers: Vec::new(),
            upstream: build_upstream_client().unwrap(),
            sessions: SessionLocks::default(),
            runs,
            limits: SandboxLimits::default(),
            default_models: DefaultModels { anthropic: String::new(), openai: String::new(), gemini: String::new() },
            permissions: PermissionPolicy::allow_all(),
        };
        Self { context, workspace, folder }
    }

    async fn set_up(&self, script: &str, timeout_seconds: u64) -> Result<Duration, RunEnd> {
        self.set_up_with(EgressPolicy::None, script, timeout_seconds).await.0
    }

    /// The end of a set-up, and the connections that were refused.
    async fn set_up_with(
        &self,
        network: EgressPolicy,
        script: &str,
        timeout_seconds: u64,
    ) -> (Result<Duration, RunEnd>, Vec<DeniedConnection>) {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (denials, mut denied) = mpsc::unbounded_channel();
        let run = SetupRun {
            context: &self.context,
            folder: &self.folder.path().join("runs/session"),
            workspace: &self.workspace,
            method: &self.context.method,
            network,
            denials,
            limits: self.context.limits,
            variables: vec![variable("MODE", "fast"), variable("TOKEN", "quiet otters")],
            mask: SecretMask::of_values(["quiet otters"]),
        };
        let ended = run.run(&SetupScript { script: script.to_owned(), timeout_seconds }).await;
        (ended, std::iter::from_fn(|| denied.try_recv().ok()).collect())
    }

    /// The message of a set-up that fails.
    async fn failure(&self, script: &str, timeout_seconds: u64) -> String {
        match self.set_up(script, timeout_seconds).await {
            Err(RunEnd::Failed { code, message }) if code == "SETUP_FAILED" => message,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_set_up_writes_into_the_work_tree_and_the_home_that_the_agent_gets() {
    let session = Session::new().await;
    let script = "echo \"$MODE $(printf %s \"$TOKEN\" | wc -c)\" > made\nmkdir -p ~/bin; touch ~/bin/tool";
    session.set_up(script, 60).await.unwrap();
    assert_eq!(fs::read_to_string(session.workspace.work_tree().join("made")).unwrap(), "fast 12\n");
    assert!(session.folder.path().join("runs/session/home/bin/tool").exists());
}

#[tokio::test]
async fn a_failed_set_up_shows_its_last_lines_in_order_without_secrets() {
    let session = Session::new().await;
    let script = "for n in $(seq 300); do echo line $n; done\necho \"with $TOKEN\" >&2\nfalse\necho never";
    let message = session.failure(script, 60).await;
    assert!(message.starts_with("The set-up script ended with exit code 1. Its last lines:\nline 102\n"), "{message}");
    assert!(message.ends_with("line 300\nwith [redacted]"), "{message}");
}

#[tokio::test]
async fn a_set_up_ends_with_its_time_and_leaves_no_process() {
    let session = Session::new().await;
    let message = session.failure("echo begun; sleep 600 & sleep 600", 1).await;
    assert_eq!(message, "The set-up script took longer than 1 s. Its last lines:\nbegun");
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mark = session.folder.path().display().to_string();
    let left = processes.filter_map(|one| fs::read(one.path().join("cmdline")).ok());
    assert!(!left.into_iter().any(|line| String::from_utf8_lossy(&line).contains(&mark)), "a process is left");
}

#[tokio::test]
async fn a_set_up_calls_no_model() {
    let session = Session::new().await;
    let script = "command -v curl >/dev/null || exit 0\n\
                  curl -s -o /dev/null -w '%{http_code}\\n' -d '{\"model\": \"a\"}' http://127.0.0.1:4100/v1/messages > code\n\
                  test \"$(cat code)\" != 200";
    session.set_up(script, 60).await.unwrap();
}

/// Asks the proxy for a tunnel, and writes its answer into the work tree.
const ASK_PROXY: &str = r#"
cat > ask.sh <<'END'
exec 3<>/dev/tcp/127.0.0.1/${HTTPS_PROXY##*:}
printf 'CONNECT no-such-name.invalid:443 HTTP/1.1\r\n\r\n' >&3
read -r answer <&3
echo "$answer" > answer
END
bash ask.sh
"#;

#[tokio::test]
async fn a_set_up_reaches_the_network_by_its_policy_alone() {
    let session = Session::new().await;
    for (network, status, refusals) in [(EgressPolicy::None, "403", 1), (EgressPolicy::Open, "502", 0)] {
        let (ended, denied) = session.set_up_with(network, ASK_PROXY, 60).await;
        ended.unwrap();
        let answer = fs::read_to_string(session.workspace.work_tree().join("answer")).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(denied.len(), refusals, "{denied:?}");
    }
}
