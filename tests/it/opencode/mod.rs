//! OpenCode as an agent runtime, against the real server with the scripted model behind it.
//!
//! One server serves all tests of the process, as a start costs seconds; only who kills it has one of its own. Each
//! test has a tenant, a workspace root and a repository of its own.

mod faults;
mod identity;
mod questions;
mod runs;
mod tenant_servers;
mod work;
mod workspaces;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use chrono::Utc;
use harness::PATIENCE;
use local::{
    paths,
    scripted_model::{self, Request, ScriptedModel},
    services::{Model, OpenCode as Server, OpenCodeOptions},
};
use serde_json::{Map, Value, json};
use shared::{
    agents::{
        contract::{
            AgentRuntime, Assignment, Continuation, Finish, Observation, Phase, QuestionKind, RunState,
            TranscriptEntry, workspace::Workspace,
        },
        opencode::{OpenCode, Settings},
    },
    kernel::{
        clock::{Clock, Time},
        failure::Failure,
        id::{SessionId, TenantId},
    },
};
use tokio::time::sleep;

use crate::ports::runtime::{Member, Work, blank, contact};

/// A server with its model.
struct Agents {
    server: Server,
    model: ScriptedModel,
}

impl Agents {
    /// With snapshots the server reports every changed file, also of those that a shell changed, for 0.3 s each step.
    async fn start(snapshot: bool) -> Self {
        let model = scripted_model::serve("127.0.0.1:0").await.unwrap();
        let mut options = OpenCodeOptions::new(Model::Scripted { base_url: model.base_url() });
        options.snapshot = snapshot;
        // Stated in the configuration, so that it holds for subagents too.
        options.permission = json!({"bash": {"*": "allow", "touch asked*": "ask"}});
        Self { server: Server::start(&options).await.unwrap(), model }
    }

    /// The server that all tests share. It lives on a runtime that no test ends, and ends with the process.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Agents> = OnceLock::new();
        SHARED.get_or_init(|| {
            let start = || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                Box::leak(Box::new(runtime.unwrap())).block_on(Agents::start(false))
            };
            thread::spawn(start).join().unwrap()
        })
    }
}

/// The fixtures of one test.
struct Bench {
    runtime: OpenCode,
    tenant_id: TenantId,
    /// Holds the workspace root and the directories that sessions may use.
    folder: PathBuf,
}

impl Bench {
    fn new() -> Self {
        Self::on(Agents::shared(), |_| {})
    }

    fn on(agents: &Agents, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = paths::temporary("opencode-test").unwrap().canonicalize().unwrap();
        std::fs::create_dir(folder.join("projects")).unwrap();
        let root = folder.join("work").display().to_string();
        let mut settings = Settings::new(agents.server.url(), agents.server.password(), root);
        settings.directory_roots = vec![folder.join("projects").display().to_string()];
        // The machine may be busy with other tests: a slow server is not what these tests are about.
        settings.call_timeout = Duration::from_mins(1);
        settings.abort_timeout = Duration::from_mins(1);
        change(&mut settings);
        Self { runtime: OpenCode::new(settings, Clock::System).unwrap(), tenant_id: TenantId::new(), folder }
    }

    /// A git repository with one file in it, which sessions may use.
    fn repository(&self, name: &str) -> PathBuf {
        let place = self.folder.join("projects").join(name);
        std::fs::create_dir_all(place.join("api")).unwrap();
        std::fs::write(place.join("README.md"), "one\ntwo\nthree\n").unwrap();
        std::fs::write(place.join("api/main.rs"), "fn main() {}\n").unwrap();
        git(&place, &["init", "-q", "-b", "main"]);
        git(&place, &["add", "-A"]);
        git(&place, &["commit", "-q", "-m", "Begin"]);
        place
    }

    fn assignment(&self, steps: &Value) -> Assignment {
        Assignment {
            tenant_id: self.tenant_id,
            session_id: SessionId::new(),
            agent: contact(),
            run: 1,
            run_started_at: now(),
            title: "Try it".to_owned(),
            session_type: "execution".to_owned(),
            prompt: script(steps),
            model: Some("stub/stub-1".to_owned()),
            agent_config: Map::new(),
            workspace: None,
            environment: None,
            cpu_limit: None,
            memory_limit_mb: None,
            timeout_seconds: 3600,
            continuation: Continuation::Start,
        }
    }

    fn assignment_in(&self, directory: &Path, steps: &Value) -> Assignment {
        let directory = Some(directory.display().to_string());
        Assignment { workspace: Some(Workspace { directory, ..Workspace::default() }), ..self.assignment(steps) }
    }

    /// Observes until `enough`, and returns everything that was reported on the way.
    async fn watch(&self, assignment: &Assignment, state: RunState, enough: impl Fn(&Phase) -> bool) -> Seen {
        let late = Instant::now() + PATIENCE;
        let mut seen = Seen { entries: Vec::new(), phases: Vec::new(), last: None, state };
        loop {
            let observation = self.runtime.observe(assignment, &seen.state).await.unwrap();
            seen.state = observation.state.clone();
            seen.entries.extend(observation.transcript.clone());
            if seen.phases.last() != Some(&observation.phase) {
                seen.phases.push(observation.phase.clone());
            }
            let size = seen.state.0.to_string().len();
            assert!(size < 4096, "a state of {size} bytes is too large for a row");
            let done = enough(&observation.phase);
            seen.last = Some(observation);
            if done {
                return seen;
            }
            assert!(Instant::now() < late, "it never came: {:?}", seen.phases);
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn finish(&self, assignment: &Assignment, state: RunState) -> Seen {
        self.watch(assignment, state, |phase| matches!(phase, Phase::Finished(_))).await
    }

    async fn run(&self, assignment: &Assignment) -> Seen {
        let state = self.runtime.dispatch(assignment).await.unwrap();
        self.finish(assignment, state).await
    }
}

/// The runtime as a member of the suite that holds for all of them.
pub(crate) fn member() -> Member {
    let bench = Bench::new();
    let tenant_id = bench.tenant_id;
    let assign = move |work| {
        let steps = match work {
            Work::Write => json!([write("made.txt", "one\n"), {"text": "Done."}]),
            Work::Ask => json!([bash("touch asked.txt"), {"text": "Done."}]),
            Work::Sleep => json!([bash("sleep 60"), {"text": "Done."}]),
        };
        Assignment { tenant_id, prompt: script(&steps), model: Some("stub/stub-1".to_owned()), ..blank() }
    };
    Member {
        runtime: Box::new(bench.runtime.clone()),
        assign: Box::new(assign),
        asks: QuestionKind::Approval,
        keep: Box::new(bench),
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The observations of a run.
struct Seen {
    entries: Vec<TranscriptEntry>,
    phases: Vec<Phase>,
    last: Option<Observation>,
    state: RunState,
}

impl Seen {
    fn last(&self) -> &Observation {
        self.last.as_ref().unwrap()
    }

    /// The last words of a run that was completed.
    #[track_caller]
    fn completed(&self) -> String {
        match &self.last().phase {
            Phase::Finished(Finish::Completed { result, .. }) => result["text"].as_str().unwrap().to_owned(),
            other => panic!("not completed: {other:?}, after {:?} and {:?}", self.phases, self.entries),
        }
    }

    #[track_caller]
    fn failed(&self) -> Failure {
        match &self.last().phase {
            Phase::Finished(Finish::Failed(failure)) => failure.clone(),
            other => panic!("not failed: {other:?}"),
        }
    }

    /// The reported states of a tool, in order.
    fn tools(&self, name: &str) -> Vec<&str> {
        self.reported(|entry| match entry {
            TranscriptEntry::Tool { tool, state, .. } if tool == name => Some(state),
            _ => None,
        })
    }

    fn texts(&self) -> Vec<&str> {
        self.reported(|entry| match entry {
            TranscriptEntry::Message { text, role, .. } if role == "assistant" => Some(text),
            _ => None,
        })
    }

    fn changed(&self) -> Vec<&str> {
        self.reported(|entry| match entry {
            TranscriptEntry::FileChanged { path } => Some(path),
            _ => None,
        })
    }

    fn reported(&self, which: impl Fn(&TranscriptEntry) -> Option<&String>) -> Vec<&str> {
        self.entries.iter().filter_map(|entry| which(entry).map(String::as_str)).collect()
    }
}

/// The requests of the model that belong to one run, by a word that only its prompt holds.
fn asked(agents: &Agents, word: &str) -> Vec<Request> {
    let requests = agents.model.requests().into_iter();
    requests.filter(|request| request.body["tools"].is_array() && request.body.to_string().contains(word)).collect()
}

fn script(steps: &Value) -> String {
    format!("Do this. @@STUB {steps} @@")
}

fn write(path: &str, content: &str) -> Value {
    json!({"tool": "write", "args": {"filePath": path, "content": content}})
}

fn bash(command: &str) -> Value {
    json!({"tool": "bash", "args": {"command": command, "description": "Try it"}})
}

fn worktree(state: &RunState) -> PathBuf {
    PathBuf::from(state.0["worktree"].as_str().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a run began at the real time")]
fn now() -> Time {
    Utc::now()
}

#[track_caller]
fn git(place: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgSign=false"])
        .args(words)
        .current_dir(place)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
