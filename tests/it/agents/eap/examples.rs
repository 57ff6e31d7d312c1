//! The agents of `examples/`: real processes that really work in a real repository, and the command that says whether
//! an agent, or a server, keeps the protocol.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use harness::{Options, TestApp, child_process::root, until};
use local::services::free_port;
use serde_json::json;
use shared::identity::auth::Role;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
};

use crate::local::{ioc, open_folder};

/// A test app behind a real listener.
struct Served {
    world: TestApp,
    url: String,
    _server: JoinSet<()>,
}

impl Served {
    async fn new(options: Options) -> Self {
        let world = TestApp::with(options).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (url, api) = (format!("http://{}", listener.local_addr().unwrap()), world.api.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, api).await.unwrap() });
        Self { world, url, _server: server }
    }

    /// A program with this test app in its environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("IOC_URL", &self.url)
            .env("IOC_KEY", self.world.tenant.key(Role::Member))
            .env("IOC_TENANT", &self.world.tenant.slug)
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn registered(&self, name: &str) {
        let owner = self.world.superuser().await;
        let sql = format!("select count(*) from agents where name = '{name}'");
        until(async || owner.number(&sql).await == 1).await;
    }
}

fn python_agent() -> PathBuf {
    root().join("examples/pull_agent.py")
}

/// Built beside `ioc`.
fn rust_agent() -> PathBuf {
    let path = ioc().with_file_name("push-agent");
    assert!(path.exists(), "{} is missing: run `make build`", path.display());
    path
}

/// A repository with one commit.
fn repository() -> PathBuf {
    let folder = open_folder("repository");
    std::fs::write(folder.join("README.md"), "# A project\n").unwrap();
    for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "Begin"]] {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=test", "-c", "user.email=test@localhost"]).args(arguments).current_dir(&folder);
        assert!(command.status().unwrap().success());
    }
    folder
}

/// Starts an agent, has it add a file to a repository, and looks at what came of it.
async fn does_a_piece_of_work(served: &Served, name: &str, agent: &mut Command) -> Child {
    let agent = agent.env("AGENT_NAME", name).spawn().unwrap();
    served.registered(name).await;
    let (caller, folder) = (served.world.caller(Role::Member), repository());
    let fields = json!({
        "initial_prompt": "Add the file docs/NOTES.md: Written by an agent.\nAdd the file LICENSE.txt: None.",
        "agent_config": {"agent": name},
        "workspace": {"directory": folder},
    });
    let id = caller.start_session(fields).await;
    let session = caller.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(session["status"], "completed", "{session:#}");
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    let files: Vec<_> = diff["items"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(files, ["LICENSE.txt", "docs/NOTES.md"]);
    let reported = caller.events(&id).await;
    assert!(reported.iter().any(|event| event["payload"]["text"] == "Wrote docs/NOTES.md."));
    std::fs::remove_dir_all(folder).unwrap();
    agent
}

#[tokio::test]
async fn the_python_example_works_in_a_repository_and_obeys_commands() {
    let served = Served::new(Options::default()).await;
    let _agent =
        does_a_piece_of_work(&served, "PYTHON", served.command(Path::new("python3")).arg(python_agent())).await;
    let caller = served.world.caller(Role::Member);
    let fields = json!({"initial_prompt": "Wait 60 seconds", "agent_config": {"agent": "PYTHON"}});
    let id = caller.start_session(fields).await;
    caller.sees(&id, "session.message").await;
    caller.reaches(&id, &["running"]).await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
    let owner = served.world.superuser().await;
    let ended = "select count(*) from agent_tasks where status = 'done' and result->>'status' = 'failed'";
    until(async || owner.number(ended).await == 1).await;
}

#[tokio::test]
async fn a_killed_example_agent_loses_its_task() {
    let mut options = Options::default();
    options.settings.heartbeat_interval = Duration::from_millis(500);
    let served = Served::new(options).await;
    let start = |name: &str| {
        let mut command = served.command(Path::new("python3"));
        command.arg(python_agent()).env("AGENT_NAME", name).spawn().unwrap()
    };
    let mut first = start("KILLED");
    served.registered("KILLED").await;
    let caller = served.world.caller(Role::Member);
    let fields = json!({"initial_prompt": "Wait 2 seconds\nAdd the file a: b", "agent_config": {"agent": "KILLED"}});
    let id = caller.start_session(fields).await;
    caller.sees(&id, "session.message").await;
    first.kill().await.unwrap();
    let owner = served.world.superuser().await;
    until(async || {
        served.world.run(shared::platform::queue::job::Job::reconcile()).await;
        owner.number("select count(*) from agent_tasks where status = 'lost'").await >= 1
    })
    .await;
    let lost = "select count(*) from session_events where payload->>'code' = 'AGENT_LOST'";
    until(async || owner.number(lost).await >= 1).await;
}

#[tokio::test]
async fn the_rust_example_works_in_a_repository() {
    let port = free_port().unwrap();
    let mut options = Options::default();
    options.settings.outbound = format!("127.0.0.1:{port}").parse().unwrap();
    let served = Served::new(options).await;
    let mut command = served.command(&rust_agent());
    does_a_piece_of_work(&served, "RUST", command.env("AGENT_LISTEN", format!("127.0.0.1:{port}"))).await;
}

async fn conformance(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
    let reported = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.success(), reported)
}

/// The conformance command for an agent that keeps its token in a folder.
fn conformance_of(agent: &str, folder: &Path) -> Command {
    let mut command = Command::new(ioc());
    command.args(["agent", "conformance", "--agent", agent]).env("AGENT_STATE", folder.join("state"));
    command
}

#[tokio::test]
async fn the_pulling_example_passes_the_conformance_command_which_records_it() {
    let folder = open_folder("state");
    let agent = format!("python3 {}", python_agent().display());
    let served = Served::new(Options::default()).await;
    let registered = served.world.puller("EXAMPLE").await;
    let recording = |role: Role| {
        let mut command = conformance_of(&agent, &folder);
        command
            .args(["--record", &registered.id])
            .env("IOC_URL", &served.url)
            .env("IOC_KEY", served.world.tenant.key(role))
            .env_remove("IOC_TENANT");
        command
    };
    let (kept, reported) = conformance(&mut recording(Role::Member)).await;
    assert!(!kept && reported.contains("requires the role lead"), "{reported}");
    assert!(!reported.contains("pass  "), "it is refused before the run: {reported}");
    let path = format!("/api/v1/agents/{}", registered.id);
    let lead = served.world.caller(Role::Lead);
    assert!(lead.get(&path).await.expect(200)["conformance_passed_at"].is_null());
    let (kept, reported) = conformance(&mut recording(Role::Lead)).await;
    assert!(kept && reported.contains("0 failed, 0 skipped"), "{reported}");
    assert!(reported.contains("recorded with EXAMPLE"), "{reported}");
    assert!(lead.get(&path).await.expect(200)["conformance_passed_at"].is_string());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn the_pushed_example_passes_the_conformance_command() {
    let folder = open_folder("state");
    let agent = rust_agent().display().to_string();
    let mut command = conformance_of(&agent, &folder);
    // Its address is part of its registration, so it is the same after a restart.
    command.env("AGENT_LISTEN", format!("127.0.0.1:{}", free_port().unwrap()));
    let (kept, reported) = conformance(&mut command).await;
    assert!(kept && reported.contains("0 failed, 0 skipped"), "{reported}");
    assert!(reported.contains("it refuses a push with another signature"), "{reported}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// It sends too few heartbeats and no reports, continues after a cancellation, and changes its result.
const BROKEN: &str = r#"
import json, os, time, urllib.request
def call(path, body, headers):
    request = urllib.request.Request(os.environ["IOC_URL"] + "/api/v1/agents/external" + path, json.dumps(body).encode(), {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None
made = call("/register", {"protocol_version": "1.0", "name": "BROKEN", "version": "1", "agent_type": "analyst"}, {})[1]
path, headers = "/" + made["agent_id"], {"x-agent-token": made["auth_token"]}
while True:
    status, claimed = call(path + "/tasks/claim", {}, headers)
    for task in claimed["tasks"] if status == 200 else []:
        for time_ms in (1, 2):
            call(path + "/tasks/" + task["task_id"] + "/result", {"task_id": task["task_id"], "status": "completed", "execution_time_ms": time_ms, "tokens_used": 0, "cost_usd": 0}, headers)
    time.sleep(0.1)
"#;

/// Runs the conformance command for an agent that is given as a Python script.
async fn conformance_of_script(script: &str) -> (bool, String) {
    let folder = open_folder("broken");
    let path = folder.join("agent.py");
    std::fs::write(&path, script).unwrap();
    let mut command = conformance_of(&format!("python3 {}", path.display()), &folder);
    let checked = conformance(command.args(["--patience", "3"])).await;
    std::fs::remove_dir_all(folder).unwrap();
    checked
}

#[tokio::test]
async fn the_conformance_command_detects_an_agent_that_breaks_the_protocol() {
    let (kept, reported) = conformance_of_script(BROKEN).await;
    assert!(!kept, "{reported}");
    for (name, verdict) in [
        ("it registers", "pass"),
        ("it sends heartbeats at the requested interval", "FAIL"),
        ("it repeats its result unchanged", "FAIL"),
        ("it returns the work that was asked for as a patch", "FAIL"),
        ("it works in the workspace that the task names", "FAIL"),
        ("it continues from the patch of an earlier run", "FAIL"),
        ("it asks a question", "FAIL"),
        ("it reports on a long task", "FAIL"),
        ("it renews its lease", "FAIL"),
        ("it acknowledges a message of a person", "FAIL"),
        ("it returns after a restart and continues the task that it held", "FAIL"),
    ] {
        assert!(reported.contains(&format!("{verdict}  {name}")), "{verdict} {name}: {reported}");
    }
}

/// The example agent with one line replaced.
fn changed_example(from: &str, to: &str) -> String {
    let script = std::fs::read_to_string(python_agent()).unwrap();
    assert!(script.contains(from), "the example has no {from}");
    script.replace(from, to)
}

#[tokio::test]
async fn the_conformance_command_fails_agents_that_do_not_do_the_work() {
    let source = r#"workspace.get("repository") or workspace.get("directory")"#;
    let patch = r#""content": patch"#;
    let agents = [
        // No work at all, another repository than the named one, and patches that do not apply.
        (
            changed_example("return git(folder, \"diff\", \"--binary\", base, \"HEAD\")", "return ''"),
            "it returns the work",
        ),
        (changed_example(source, "None"), "it works in the workspace"),
        (changed_example(patch, r#""content": "not a patch at all""#), "it returns the work"),
        (changed_example("if earlier_patch:", "if False:"), "it continues from the patch"),
        (changed_example("self.received = max(", "_ = max("), "it acknowledges a message"),
    ];
    let checks = agents.map(|(script, check)| async move {
        let (kept, reported) = conformance_of_script(&script).await;
        assert!(!kept && reported.contains(&format!("FAIL  {check}")), "{check}: {reported}");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn our_own_server_passes_the_conformance_command() {
    let served = Served::new(Options::default()).await;
    let mut command = served.command(&ioc());
    let (kept, reported) = conformance(command.args(["agent", "conformance", "--server"])).await;
    assert!(kept && reported.contains("0 failed"), "{reported}");
    let caller = served.world.caller(Role::Lead);
    let left = caller.get("/api/v1/agents").await.expect(200);
    let left: Vec<_> = left["items"].as_array().unwrap().iter().filter(|agent| agent["kind"] == "eap").collect();
    assert!(left.is_empty(), "{left:?}");
    let left = caller.get("/api/v1/sessions").await.expect(200);
    assert_eq!(left["items"], json!([]), "it removes its sessions");
}
