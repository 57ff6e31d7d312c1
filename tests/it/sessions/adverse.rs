//! Agents that leave odd work, do not rest, or go on spending, and what becomes of their sessions.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chrono::TimeDelta;
use harness::{Caller, Options, World};
use serde_json::{Value, json};
use shared::{
    agent::{Kind, PlatformAgent},
    auth::Role,
    clock::Clock,
    id::MessageId,
    job::Job,
    runtime::{
        AgentRuntime, Assignment, FileChange, FileStatus, Finish, Made, Observation, Phase, Question, QuestionKind,
        RunState, Said, Work,
    },
    session::{outcome::Failure, usage::Usage},
    tenant::{Limits, set_limits},
};
use tokio::sync::Semaphore;

/// An agent that does what a test says.
struct Agent {
    phase: Mutex<Phase>,
    work: Mutex<Work>,
    spent: AtomicI64,
    /// Whether it cannot be brought to rest.
    deaf: AtomicBool,
    aborts: AtomicUsize,
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

    async fn say(&self, _: &Assignment, state: &RunState, _: MessageId, _: &Said) -> Result<RunState, Failure> {
        Ok(state.clone())
    }

    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        self.aborts.fetch_add(1, SeqCst);
        if self.deaf.load(SeqCst) { Err(Failure::transient("AGENT_BUSY", "It hears nothing.")) } else { Ok(()) }
    }

    async fn collect(&self, _: &Assignment, _: &RunState) -> Result<Work, Failure> {
        Ok(self.work.lock().unwrap().clone())
    }

    async fn release(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}

/// A world with that agent, whose steps a test takes.
struct Scene {
    world: World,
    agent: Arc<Agent>,
    clock: Clock,
    caller: Caller,
    id: String,
}

/// A session that the agent has.
async fn running(fields: Value) -> Scene {
    let agent = Arc::new(Agent {
        phase: Mutex::new(Phase::Working),
        work: Mutex::default(),
        spent: AtomicI64::new(0),
        deaf: AtomicBool::new(false),
        aborts: AtomicUsize::new(0),
        looked_at: Semaphore::new(0),
        may_show: Semaphore::new(1000),
    });
    let platform =
        PlatformAgent { name: "adverse".to_owned(), kind: Kind::Manual, capacity: None, runtime: Some(agent.clone()) };
    let clock = Clock::fixed(Clock::System.now());
    let limits = Limits { max_tokens_per_month: 100, ..Limits::default() };
    let world =
        World::idle(Options { agents: vec![platform], clock: clock.clone(), limits, ..Options::default() }).await;
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
    fn shows(&self, phase: Phase) {
        *self.agent.phase.lock().unwrap() = phase;
    }

    /// Takes the step that is due after this time.
    async fn after(&self, time: TimeDelta) {
        self.clock.advance(time);
        self.world.run(Job::observe(self.world.tenant.id, self.id.parse().unwrap())).await;
    }

    async fn session(&self) -> Value {
        self.caller.session(&self.id).await
    }

    async fn act(&self, verb: &str) {
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
        self.world.owner().await.run(&sql).await;
    }
}

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

fn change(path: &str, status: FileStatus, diff: &str) -> FileChange {
    FileChange { path: path.to_owned(), status, additions: 1, deletions: 1, patch: diff.to_owned() }
}

fn done() -> Phase {
    Phase::Finished(Finish::Completed { result: json!("do\0ne"), success_rate: None, confidence_score: None })
}

#[tokio::test]
async fn work_that_names_a_file_twice_and_holds_nul_is_kept_and_the_session_ends() {
    let scene = running(json!({})).await;
    let long = format!("{}é.txt", "a/".repeat(2000));
    *scene.agent.work.lock().unwrap() = Work {
        files: vec![
            change("link.md", FileStatus::Deleted, "one"),
            change("link.md", FileStatus::Added, "two"),
            change("new.md", FileStatus::Added, "a\0b"),
            change("new.md", FileStatus::Modified, "c"),
            change(&long, FileStatus::Modified, ""),
        ],
        patch: "a\0b".to_owned(),
        summary: "Half\0way.".to_owned(),
        artifacts: vec![Made { path: long.clone(), mime_type: "text/plain".to_owned(), content: b"x".to_vec() }],
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
async fn a_question_with_nul_in_it_is_asked() {
    let scene = running(json!({})).await;
    let (question_id, text) = ("q\0".to_owned(), "Which\0?".to_owned());
    let question = Question { question_id, kind: QuestionKind::Input, text, options: Vec::new(), details: Value::Null };
    scene.shows(Phase::Waiting(question));
    scene.after(seconds(1)).await;
    let session = scene.session().await;
    assert_eq!(session["pause"]["question"]["text"], "Which\u{fffd}?", "{session}");
}

#[tokio::test]
async fn an_agent_that_does_not_rest_when_its_time_is_over_is_told_until_it_does() {
    let scene = running(json!({"max_duration_seconds": 60})).await;
    scene.agent.deaf.store(true, SeqCst);
    scene.after(seconds(61)).await;
    assert_eq!((scene.session().await["status"].clone(), scene.aborts()), (json!("timeout"), 1));
    scene.after(seconds(61)).await;
    assert_eq!(scene.aborts(), 2);
    scene.agent.deaf.store(false, SeqCst);
    scene.after(seconds(61)).await;
    assert_eq!(scene.aborts(), 3);
    // It rests: there is nothing to do before the workspace is given back.
    scene.after(seconds(61)).await;
    assert_eq!(scene.aborts(), 3);
}

#[tokio::test]
async fn an_agent_that_asks_is_not_broken_off_for_want_of_tokens() {
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
async fn an_agent_that_does_not_rest_for_want_of_tokens_is_metered_until_it_does() {
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
async fn a_pause_that_somebody_asks_for_while_a_limit_is_found_lasts_until_somebody_ends_it() {
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
        set_limits(&scene.world.app, scene.world.tenant.id, Limits::default()).await.unwrap();
        scene.after(seconds(100)).await;
        assert_eq!(scene.session().await["status"], "paused");
    }
}

#[tokio::test]
async fn what_was_spent_since_the_last_look_is_metered_when_somebody_ends_the_session() {
    for verb in ["complete", "fail"] {
        let scene = running(json!({})).await;
        scene.agent.spent.store(40, SeqCst);
        let body = if verb == "complete" { json!({"result": "Done."}) } else { json!({"message": "Wrong."}) };
        scene.caller.post(&format!("/sessions/{}/{verb}", scene.id), body).await.expect(200);
        scene.after(seconds(1)).await;
        let session = scene.session().await;
        assert_eq!(session["usage"]["tokens_output"], 40, "{verb}: {session}");
        let spent = "select sum(tokens)::bigint from tenant_usage";
        assert_eq!(scene.world.owner().await.number(spent).await, 40);
    }
}
