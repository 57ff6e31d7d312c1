//! From a start that was asked for to the agent that is called: with the scripted agent, at 50 starts a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use async_trait::async_trait;
use shared::{
    agents::{
        contract::{
            AgentRuntime, Assignment, LogLevel, Observation, Phase, RunOutput, RunState, TranscriptEntry, UserMessage,
        },
        scripted::ScriptedAgent,
    },
    kernel::{
        clock::Clock,
        failure::Failure,
        id::{MessageId, SessionId},
    },
};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    Effort,
    client::{Client, millis},
    figure::{Figure, Samples, Target},
    stand::{SESSIONS, Stand},
};

const PER_SECOND: u32 = 50;
const AT_ONCE: usize = 8;

/// The scripted agent, noting when it is called; a session whose script says nothing talks with every look at it.
pub(crate) struct Watched {
    scripted: ScriptedAgent,
    called: Mutex<HashMap<SessionId, Instant>>,
    lines: usize,
}

impl Watched {
    /// `lines` is how much it says at each look, and it never ends then; with none it plays the script.
    pub(crate) fn new(lines: usize) -> Arc<Self> {
        Arc::new(Self { scripted: ScriptedAgent::new(Clock::System), called: Mutex::default(), lines })
    }

    fn called(&self, id: SessionId) -> Option<Instant> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }
}

#[async_trait]
impl AgentRuntime for Watched {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        let now = Instant::now();
        self.called.lock().unwrap_or_else(PoisonError::into_inner).entry(assignment.session_id).or_insert(now);
        self.scripted.dispatch(assignment).await
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        let mut seen = self.scripted.observe(assignment, state).await?;
        if self.lines > 0 {
            let message = "cargo test: 128 passed, 0 failed, in 3.2 s".to_owned();
            seen.transcript = vec![TranscriptEntry::Log { level: LogLevel::Info, message }; self.lines];
            seen.phase = Phase::Working;
        }
        Ok(seen)
    }

    async fn send_message(
        &self,
        to: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        self.scripted.send_message(to, state, id, said).await
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.scripted.abort(assignment, state).await
    }

    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        self.scripted.collect_output(assignment, state).await
    }

    async fn release_workspace(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.scripted.release_workspace(assignment, state).await
    }
}

pub(crate) async fn measure(stand: &Stand, watched: &Watched, effort: &Effort) -> Result<Vec<Figure>> {
    let (mut whole, mut after) = (Samples::default(), Samples::default());
    for _ in 0..effort.runs {
        for (sent, answered, called) in starts(stand, watched, effort.starts).await? {
            whole.push(millis(called - sent));
            after.push(millis(called.saturating_duration_since(answered)));
        }
    }
    let note = "from the POST being sent, which is before it is accepted, to the agent being called; 50 starts/s";
    Ok(vec![
        Figure::of("start to agent called", "ms", &whole).reaching(Target::BothBelow(10.0, 40.0)).note(note),
        Figure::of("start answered to agent called", "ms", &after).note("0 where the agent was called first"),
    ])
}

/// Starts sessions at an even pace, whether or not the earlier ones were answered.
async fn starts(stand: &Stand, watched: &Watched, count: usize) -> Result<Vec<(Instant, Instant, Instant)>> {
    let mut clients = Vec::new();
    for _ in 0..AT_ONCE {
        clients.push(Client::connect(&stand.place).await?);
    }
    let script = r#"{"agent": "watched", "script": [{"do": "wait", "ms": 100}, {"do": "say", "text": "Done."}]}"#;
    let mut ids = Vec::new();
    for at in 0..count {
        ids.push(stand.pending(&mut clients[at % AT_ONCE], script).await?);
    }
    let mut pace = interval(Duration::from_secs(1) / PER_SECOND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let clients: Vec<_> = clients.into_iter().map(|client| Arc::new(tokio::sync::Mutex::new(client))).collect();
    let mut tasks = JoinSet::new();
    for (at, id) in ids.into_iter().enumerate() {
        let due = pace.tick().await.into_std();
        let client = clients[at % AT_ONCE].clone();
        tasks.spawn(async move {
            client.lock().await.send("POST", &format!("{SESSIONS}/{id}/start"), "").await?;
            anyhow::Ok((id, due, Instant::now()))
        });
    }
    let mut times = Vec::new();
    for done in tasks.join_all().await {
        let (id, sent, answered) = done?;
        times.push((sent, answered, wait(watched, id.parse()?).await?));
    }
    Ok(times)
}

async fn wait(watched: &Watched, id: SessionId) -> Result<Instant> {
    for _ in 0..2000 {
        if let Some(called) = watched.called(id) {
            return Ok(called);
        }
        sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("the agent was not called for session {id} within 10 s")
}
