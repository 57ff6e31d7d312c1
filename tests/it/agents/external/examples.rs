//! The agents of `examples/`: real processes that really work in a real repository, and the command that says whether an
//! agent, or a server, keeps the protocol.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use harness::{Options, World, kept::root, until};
use local::services::free_port;
use serde_json::json;
use shared::auth::Role;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
};

use crate::local::{ioc, open_folder};

/// A world behind a real listener.
struct Served {
    world: World,
    url: String,
    _server: JoinSet<()>,
}

impl Served {
    async fn new(options: Options) -> Self {
        let world = World::with(options).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (url, api) = (format!("http://{}", listener.local_addr().unwrap()), world.api.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, api).await.unwrap() });
        Self { world, url, _server: server }
    }

    /// A program that finds this world in its environment.
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
        let owner = self.world.owner().await;
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
    let told = caller.events(&id).await;
    assert!(told.iter().any(|event| event["payload"]["text"] == "Wrote docs/NOTES.md."));
    std::fs::remove_dir_all(folder).unwrap();
    agent
}

#[tokio::test]
async fn the_python_example_works_in_a_repository_and_obeys() {
    let served = Served::new(Options::default()).await;
    let _agent =
        does_a_piece_of_work(&served, "PYTHON", served.command(Path::new("python3")).arg(python_agent())).await;
    let caller = served.world.caller(Role::Member);
    let fields = json!({"initial_prompt": "Wait 60 seconds", "agent_config": {"agent": "PYTHON"}});
    let id = caller.start_session(fields).await;
    caller.sees(&id, "session.message").await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
    let owner = served.world.owner().await;
    let ended = "select count(*) from external_tasks where status = 'done' and result->>'status' = 'failed'";
    until(async || owner.number(ended).await == 1).await;
}

#[tokio::test]
async fn the_work_of_an_example_that_is_killed_in_the_middle_is_taken_from_it() {
    let mut options = Options::default();
    options.settings.beat = Duration::from_millis(500);
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
    let owner = served.world.owner().await;
    until(async || {
        served.world.run(shared::job::Job::sweep()).await;
        owner.number("select count(*) from external_tasks where status = 'lost'").await >= 1
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
    let told = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.success(), told)
}

#[tokio::test]
async fn both_examples_keep_the_protocol_as_the_conformance_command_says() {
    let python = format!("python3 {}", python_agent().display());
    let mut command = Command::new(ioc());
    let (kept, told) = conformance(command.args(["agent", "conformance", "--agent", &python])).await;
    assert!(kept && told.contains("0 failed"), "{told}");
    let mut command = Command::new(ioc());
    command.env("AGENT_LISTEN", "127.0.0.1:0");
    let agent = rust_agent().display().to_string();
    let (kept, told) = conformance(command.args(["agent", "conformance", "--agent", &agent])).await;
    assert!(kept && told.contains("it refuses a push with another signature"), "{told}");
}

/// It beats its heart too seldom, reports nothing, goes on when it is called off, and changes its result.
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

#[tokio::test]
async fn an_agent_that_breaks_the_protocol_is_found_out() {
    let folder = open_folder("broken");
    let script = folder.join("broken.py");
    std::fs::write(&script, BROKEN).unwrap();
    let mut command = Command::new(ioc());
    let agent = format!("python3 {}", script.display());
    let (kept, told) = conformance(command.args(["agent", "conformance", "--patience", "3", "--agent", &agent])).await;
    assert!(!kept, "{told}");
    for (name, verdict) in [
        ("it registers", "pass"),
        ("it beats its heart as often as it was told", "FAIL"),
        ("it repeats its result unchanged", "FAIL"),
        ("it reports of a long task", "FAIL"),
        ("it renews its lease", "FAIL"),
    ] {
        assert!(told.contains(&format!("{verdict}  {name}")), "{verdict} {name}: {told}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn our_own_server_keeps_the_protocol_as_the_conformance_command_says() {
    let served = Served::new(Options::default()).await;
    let mut command = served.command(&ioc());
    let (kept, told) = conformance(command.args(["agent", "conformance", "--server"])).await;
    assert!(kept && told.contains("0 failed"), "{told}");
}
