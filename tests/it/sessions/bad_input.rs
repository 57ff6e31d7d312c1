//! Agents that leave odd work, do not rest, or go on spending, and what becomes of their sessions.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chrono::TimeDelta;
use harness::{Caller, Options, TestApp};
use serde_json::{Value, json};
use shared::{
    agents::{
        contract::{
            AgentRuntime, Assignment, FileChange, FileStatus, Finish, Observation, OutputFile, Phase, Question,
            QuestionKind, RunOutput, RunState, UserMessage,
        },
        registry::{Kind, PlatformAgent},
    },
    engine::tenant_update::set_tenant_limits,
    identity::{auth::Role, tenants::TenantLimits},
    kernel::{clock::Clock, failure::Failure, id::MessageId, usage::Usage},
    platform::queue::job::Job,
};
use tokio::sync::Semaphore;

/// An agent that does what a test says.
pub(super) struct Agent {
    pub(super) phase: Mutex<Phase>,
    pub(super) work: Mutex<RunOutput>,
    spent: AtomicI64,
    /// Whether it ignores an abort.
    deaf: AtomicBool,
    aborts: AtomicUsize,
    /// How often its work cannot be read.
    pub(super) unreadable: AtomicUsize,
    /// Why it cannot be observed.
    pub(super) trouble: Mutex<Option<Failure>>,
    looked_at: Semaphore,
    may_show: Semaphore,
}

#[async_trait]
impl AgentRuntime for Agent {
    async fn dispatch(&self, _: &Assignment) -> Result<RunState, Failure> {
        Ok(RunState(json!({})))
    }

    async fn observe(&self, _: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        self.looked_at.add_permits(1);
        self.may_show.acquire().await.unwrap().forget();
        if let Some(failure) = self.trouble.lock().unwrap().clone() {
            return Err(failure);
        }
        let tokens_output = self.spent.load(SeqCst);
        Ok(Observation {
            state: state.clone(),
            phase: self.phase.lock().unwrap().clone(),
            transcript: Vec::new(),
            usage_scope: "agent".to_owned(),
            usage: Usage { tokens_output, ..Usage::default() },
            turns_with_changes: 0,
        })
    }

    async fn send_message(
        &self,
        _: &Assignment,
        state: &RunState,
        _: MessageId,
        _: &UserMessage,
    ) -> Result<RunState, Failure> {
        Ok(state.clone())
    }

    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        self.aborts.fetch_add(1, SeqCst);
        if self.deaf.load(SeqCst) { Err(Failure::transient("AGENT_BUSY", "It hears nothing.")) } else { Ok(()) }
    }

    async fn collect_output(&self, _: &Assignment, _: &RunState) -> Result<RunOutput, Failure> {
        let left = self.unreadable.load(SeqCst);
        if left > 0 {
            self.unreadable.store(left - 1, SeqCst);
            return Err(Failure::transient("AGENT_UNREACHABLE", "It cannot compare the files."));
        }
        Ok(self.work.lock().unwrap().clone())
    }

    async fn release_workspace(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}

/// A test app with that agent, whose steps the test runs.
pub(super) struct Scene {
    pub(super) world: TestApp,
    pub(super) agent: Arc<Agent>,
    pub(super) clock: Clock,
    pub(super) caller: Caller,
    pub(super) id: String,
}

/// A session that the agent has.
pub(super) async fn running(fields: Value) -> Scene {
    let agent = Arc::new(Agent {
        phase: Mutex::new(Phase::Working),
        work: Mutex::default(),
        spent: AtomicI64::new(0),
        deaf: AtomicBool::new(false),
        aborts: AtomicUsize::new(0),
        unreadable: AtomicUsize::new(0),
        trouble: Mutex::new(None),
        looked_at: Semaphore::new(0),
        may_show: Semaphore::new(1000),
    });
    let platform =
        PlatformAgent { name: "adverse".to_owned(), kind: Kind::Manual, capacity: None, runtime: Some(agent.clone()) };
    let clock = Clock::fixed(Clock::System.now());
    let limits = TenantLimits { max_tokens_per_month: 100, ..TenantLimits::default() };
    let world =
        TestApp::idle(Options { agents: vec![platform], clock: clock.clone(), limits, ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    let mut body = json!({"agent_config": {"agent": "adverse"}});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let id = caller.start_session(body).await;
    let scene = Scene { world, agent, clock, caller, id };
    for _ in 0..2 {
        scene.world.run(Job::dispatch(scene.world.tenant.id, scene.id.parse().unwrap())).await;
    }
    assert_eq!(scene.session().await["status"], "running");
    scene
}

impl Scene {
    pub(super) fn shows(&self, phase: Phase) {
        *self.agent.phase.lock().unwrap() = phase;
    }

    /// Takes the step that is due after this time.
    pub(super) async fn after(&self, time: TimeDelta) {
        self.clock.advance(time);
        self.world.run(Job::observe(self.world.tenant.id, self.id.parse().unwrap())).await;
    }

    pub(super) async fn session(&self) -> Value {
        self.caller.session(&self.id).await
    }

    pub(super) async fn act(&self, verb: &str) {
        self.caller.act(&format!("/sessions/{}/{verb}", self.id)).await.expect(202);
    }

    fn aborts(&self) -> usize {
        self.agent.aborts.load(SeqCst)
    }

    /// Brings more tokens than there are: the tenant has 100 a month.
    async fn spend_all(&self) {
        let sql = format!(
            "insert into tenant_usage (tenant_id, month, tokens, cost_micros)
             values ('{}', date_trunc('month', '{}'::timestamptz at time zone 'UTC')::date, 1000, 0)",
            self.world.tenant.id,
            self.clock.now()
        );
        self.world.superuser().await.run(&sql).await;
    }
}

pub(super) fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

pub(super) fn change(path: &str, status: FileStatus, diff: &str) -> FileChange {
    FileChange { path: path.to_owned(), status, additions: 1, deletions: 1, patch: diff.to_owned() }
}

pub(super) fn done() -> Phase {
    Phase::Finished(Finish::Completed { result: json!("do\0ne"), success_rate: None, confidence_score: None })
}

#[tokio::test]
async fn output_with_a_repeated_file_and_nul_is_stored_and_the_session_ends() {
    let scene = running(json!({})).await;
    let long = format!("{}é.txt", "a/".repeat(2000));
    *scene.agent.work.lock().unwrap() = RunOutput {
        files: vec![
            change("link.md", FileStatus::Deleted, "one"),
            change("link.md", FileStatus::Added, "two"),
            change("new.md", FileStatus::Added, "a\0b"),
            change("new.md", FileStatus::Modified, "c"),
            change(&long, FileStatus::Modified, ""),
        ],
        patch: "a\0b".to_owned(),
        summary: "Half\0way.".to_owned(),
        artifacts: vec![OutputFile { path: long.clone(), mime_type: "text/plain".to_owned(), content: "x".into() }],
    };
    scene.shows(done());
    scene.after(seconds(1)).await;
    let session = scene.session().await;
    assert_eq!((&session["status"], &session["outcome"]["result"]), (&json!("completed"), &json!("do\u{fffd}ne")));
    let diff = scene.caller.get(&format!("/sessions/{}/diff", scene.id)).await.expect(200);
    let files: Vec<_> = diff["items"].as_array().unwrap().iter().map(|file| (&file["path"], &file["status"])).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.contains(&(&json!("link.md"), &json!("modified"))), "{files:?}");
    assert!(files.contains(&(&json!("new.md"), &json!("added"))), "{files:?}");
    assert!(files.iter().any(|(path, _)| path.as_str().unwrap().ends_with("a/é.txt")), "{files:?}");
}

#[tokio::test]
async fn a_question_that_contains_nul_is_asked() {
    let scene = running(json!({})).await;
    let (question_id, text) = ("q\0".to_owned(), "Which\0?".to_owned());
    let question = Question { question_id, kind: QuestionKind::Input, text, options: Vec::new(), details: Value::Null };
    scene.shows(Phase::Waiting(question));
    scene.after(seconds(1)).await;
    let session = scene.session().await;
    assert_eq!(session["pause"]["question"]["text"], "Which\u{fffd}?", "{session}");
}

#[tokio::test]
async fn an_agent_that_ignores_its_timeout_is_aborted_until_it_stops() {
    let scene = running(json!({"max_duration_seconds": 60})).await;
    scene.agent.deaf.store(true, SeqCst);
    scene.after(seconds(61)).await;
    assert_eq!((scene.session().await["status"].clone(), scene.aborts()), (json!("timeout"), 1));
    scene.after(seconds(61)).await;
    assert_eq!(scene.aborts(), 2);
    scene.agent.deaf.store(false, SeqCst);
    scene.after(seconds(61)).await;
    assert_eq!(scene.aborts(), 3);
    // It is idle: there is nothing to do before the workspace is released.
    scene.after(seconds(61)).await;
    assert_eq!(scene.aborts(), 3);
}

#[tokio::test]
async fn exhausted_tokens_do_not_interrupt_an_agent_that_asks_a_question() {
    let scene = running(json!({})).await;
    scene.spend_all().await;
    let (question_id, text) = ("q1".to_owned(), "May I?".to_owned());
    let kind = QuestionKind::Approval;
    scene.shows(Phase::Waiting(Question { question_id, kind, text, options: Vec::new(), details: Value::Null }));
    scene.after(seconds(1)).await;
    let session = scene.session().await;
    assert_eq!((&session["pause_reason"], scene.aborts()), (&json!("approval"), 0), "{session}");
    scene.shows(Phase::Working);
    let (caller, path) = (&scene.caller, format!("/sessions/{}/messages", scene.id));
    let answer = json!({"answer": {"question_id": "q1", "decision": "approve"}});
    caller.post(&path, answer).await.expect(202);
    assert_eq!(scene.session().await["status"], "queued");
}

#[tokio::test]
async fn an_agent_that_ignores_exhausted_tokens_is_metered_until_it_stops() {
    let scene = running(json!({})).await;
    scene.spend_all().await;
    scene.agent.deaf.store(true, SeqCst);
    for spent in [10, 20] {
        scene.agent.spent.store(spent, SeqCst);
        scene.after(seconds(10)).await;
        let session = scene.session().await;
        assert_eq!((&session["status"], &session["usage"]["tokens_output"]), (&json!("running"), &json!(spent)));
    }
    scene.agent.deaf.store(false, SeqCst);
    scene.after(seconds(10)).await;
    assert_eq!((scene.session().await["pause_reason"].clone(), scene.aborts()), (json!("quota"), 3));
}

#[tokio::test]
async fn a_pause_requested_while_a_limit_is_reached_lasts_until_somebody_resumes() {
    for limited in [true, false] {
        let scene = running(json!({})).await;
        let resume_at = scene.clock.now() + seconds(90);
        if limited {
            scene.shows(Phase::Limited { message: "Slow down.".to_owned(), resume_at });
        } else {
            scene.spend_all().await;
        }
        scene.agent.may_show.forget_permits(1000);
        let step = scene.after(seconds(1));
        let asked = async {
            scene.agent.looked_at.acquire().await.unwrap().forget();
            scene.act("pause").await;
            scene.agent.may_show.add_permits(1000);
        };
        tokio::join!(step, asked);
        let session = scene.session().await;
        assert_eq!((&session["status"], &session["pause_reason"]), (&json!("paused"), &json!("manual")), "{session}");
        set_tenant_limits(&scene.world.app, scene.world.tenant.id, TenantLimits::default()).await.unwrap();
        scene.after(seconds(100)).await;
        assert_eq!(scene.session().await["status"], "paused");
    }
}

#[tokio::test]
async fn usage_since_the_last_observation_is_metered_when_a_caller_ends_the_session() {
    for verb in ["complete", "fail"] {
        let scene = running(json!({})).await;
        scene.agent.spent.store(40, SeqCst);
        let body = if verb == "complete" { json!({"result": "Done."}) } else { json!({"message": "Wrong."}) };
        scene.caller.post(&format!("/sessions/{}/{verb}", scene.id), body).await.expect(200);
        scene.after(seconds(1)).await;
        let session = scene.session().await;
        assert_eq!(session["usage"]["tokens_output"], 40, "{verb}: {session}");
        let spent = "select sum(tokens)::bigint from tenant_usage";
        assert_eq!(scene.world.superuser().await.number(spent).await, 40);
    }
}
