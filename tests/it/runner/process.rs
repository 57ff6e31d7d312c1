//! A runner as a process, at work for a test app, with the scripted model as its provider.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Caller, TestApp};
use local::{
    paths::root,
    scripted_model::{ScriptedModel, serve},
};
use serde_json::{Value, json};
use shared::identity::auth::Role;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
};

/// The name of the runner.
const NAME: &str = "HERE";

/// A runner with one program.
pub(crate) struct RunnerFixture {
    pub(crate) caller: Caller,
    pub(crate) model: ScriptedModel,
    agent: String,
    pub(crate) app: TestApp,
    _process: Child,
    _data: TempDir,
    _serving: JoinSet<()>,
}

impl RunnerFixture {
    /// A runner that offers an installed program, such as `claude`.
    pub(crate) async fn with_program(program: &str) -> Self {
        Self::start(program, &["--slots", "2"]).await
    }

    /// The same, for one session at a time.
    pub(crate) async fn with_one_slot(program: &str) -> Self {
        Self::start(program, &["--slots", "1"]).await
    }

    /// A runner whose sessions may take files from a folder.
    pub(crate) async fn with_folder(program: &str, folder: &Path) -> Self {
        Self::start(program, &["--slots", "2", "--folders", folder.to_str().unwrap()]).await
    }

    /// A runner that offers the agent of the tests of the protocol (`runner/tests/parts/acp/agent.py`), which behaves
    /// so.
    pub(crate) async fn with_behaviour(behaviour: &str) -> Self {
        let folder = root().unwrap().join("runner/tests/parts/acp");
        let command = json!(["python3", folder.join("agent.py"), behaviour]);
        let text = format!(
            "[[program]]\nname = \"test\"\ncommand = {command}\nread_only = {}\nprotocol = \"openai_chat\"\n",
            json!([folder])
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        Self::start("test", &["--slots", "2", "--program-file", &path]).await
    }

    async fn start(program: &str, more: &[&str]) -> Self {
        let (app, model) = (TestApp::new().await, serve("127.0.0.1:0").await.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (url, api) = (format!("http://{}", listener.local_addr().unwrap()), app.api.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, api).await.unwrap() });
        // The user of the agents must reach it, and the system's temporary folder is not visible in sandboxes.
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let process = Command::new(find_runner())
            .args(["start", "--url", &url, "--name", NAME, "--program", program])
            .args(["--openai-model", "stub-1", "--anthropic-model", "stub-1"])
            .args(more)
            .arg("--data")
            .arg(data.path())
            .arg("--installed")
            .arg(root().unwrap().join(".local").canonicalize().unwrap())
            .env("IOC_KEY", app.tenant.key(Role::Lead))
            .envs([("OPENAI_API_KEY", "key"), ("ANTHROPIC_API_KEY", "key")])
            .envs([("OPENAI_BASE_URL", model.base_url()), ("ANTHROPIC_BASE_URL", model.base_url())])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let agent = format!("{NAME}-{}", program.to_ascii_uppercase());
        let caller = app.caller(Role::Member);
        wait_for_agent(&caller, &agent).await;
        Self { caller, model, agent, app, _process: process, _data: data, _serving: serving }
    }

    /// Starts a session of the runner's agent, in an empty folder.
    pub(crate) async fn start_session(&self, prompt: &str, permissions: Value) -> String {
        let config = json!({"agent": self.agent, "permissions": permissions});
        self.caller.start_session(json!({"initial_prompt": prompt, "agent_config": config})).await
    }

    /// Starts a session of the runner's agent in an environment.
    pub(crate) async fn start_session_in(&self, prompt: &str, environment: &str) -> String {
        let config = json!({"agent": self.agent});
        let session = json!({"initial_prompt": prompt, "agent_config": config, "environment": environment});
        self.caller.start_session(session).await
    }

    /// Starts a session of the runner's agent in a folder of its machine.
    pub(crate) async fn start_session_at(&self, prompt: &str, directory: &Path) -> String {
        let (config, workspace) = (json!({"agent": self.agent}), json!({"directory": directory}));
        let session = json!({"initial_prompt": prompt, "agent_config": config, "workspace": workspace});
        self.caller.start_session(session).await
    }

    /// Waits until the session asks, and returns its question.
    pub(crate) async fn wait_for_question(&self, session: &str) -> Value {
        let paused = self.caller.reaches(session, &["paused", "completed", "failed"]).await;
        assert_eq!(paused["status"], "paused", "{paused:#}");
        let question = paused["pause"]["question"].clone();
        assert_eq!(paused["pause"]["reason"], question["kind"], "{paused:#}");
        question
    }

    /// Answers a question of the session.
    pub(crate) async fn answer(&self, session: &str, question: &Value, answer: Value) {
        let mut answer = answer;
        answer["question_id"] = question["question_id"].clone();
        self.caller.post(&format!("/sessions/{session}/messages"), json!({"answer": answer})).await.expect(202);
    }

    /// Waits until the session has completed.
    pub(crate) async fn wait_for_completion(&self, session: &str) -> Value {
        let ended = self.caller.reaches(session, &["completed", "failed", "timeout"]).await;
        assert_eq!(ended["status"], "completed", "{ended:#}");
        ended
    }

    /// The paths that the session has changed.
    pub(crate) async fn changed_paths(&self, session: &str) -> Vec<String> {
        let diff = self.caller.get(&format!("/sessions/{session}/diff")).await;
        let diff = diff.json();
        let files = diff["items"].as_array().into_iter().flatten();
        files.map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    }

    /// The content of an artifact of the session, if there is one at that path.
    pub(crate) async fn download(&self, session: &str, path: &str) -> Option<Vec<u8>> {
        let made = self.caller.get(&format!("/sessions/{session}/artifacts")).await.expect(200);
        let made = made["items"].as_array().unwrap().iter().find(|one| one["path"] == path)?;
        let reply = self.caller.get(&format!("/sessions/{session}/artifacts/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], made["mime_type"].as_str().unwrap());
        Some(reply.bytes.to_vec())
    }
}

/// Built beside `ioc`.
fn find_runner() -> PathBuf {
    let path = root().unwrap().join("target/debug/ioc-runner");
    assert!(Path::new(&path).exists(), "{} is missing: run `make build`", path.display());
    path
}

async fn wait_for_agent(caller: &Caller, name: &str) {
    harness::until(async || {
        let agents = caller.get("/api/v1/agents?limit=100").await.expect(200);
        agents["items"].as_array().unwrap().iter().any(|agent| agent["name"] == name)
    })
    .await;
}
