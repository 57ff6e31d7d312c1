//! How work reaches an agent: one trait, a member per kind of agent. Every call may be made again after a crash, with
//! the same arguments, and must then have the effect of one call.

pub mod a2a;
pub mod carried;
pub mod eap;
pub mod manual;
pub mod opencode;
pub mod scripted;
mod work;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use self::work::{FileChange, FileStatus, Made, Work};
use crate::{
    agent::Contact,
    clock::Time,
    id::{MessageId, SessionId, TenantId},
    session::{outcome::Failure, usage::Usage, workspace::Workspace},
};

/// Everything that an agent needs to know of a session, and nothing else of it.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    /// Who is to work on it.
    pub agent: Contact,
    /// Counts the handovers of this session; with `run_started_at` it makes the ids that the agent sees deterministic.
    pub run: i32,
    pub run_started_at: Time,
    pub title: String,
    pub session_type: String,
    pub prompt: String,
    /// `provider/model`; absent = the agent's own default.
    pub model: Option<String>,
    pub agent_config: Map<String, Value>,
    pub workspace: Option<Workspace>,
    pub cpu_limit: Option<f64>,
    pub memory_limit_mb: Option<i32>,
    /// How long it may still run.
    pub timeout_seconds: i64,
    pub continuation: Continuation,
}

/// Where a run begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Continuation {
    /// At the prompt.
    #[default]
    Start,
    /// Where the same run was held: the agent's session and its files stand as they were. `ask` is false when only an
    /// answer is outstanding, so nothing is to be said to the agent.
    Resume { state: RunState, ask: bool },
    /// At a checkpoint: the agent's own session where `state` is given and still exists; else the prompt, with the
    /// stored patch applied to a fresh workspace and the summary said to the agent. A `fork` leaves the source's agent
    /// session and files untouched.
    Checkpoint { state: Option<RunState>, patch: String, summary: String, fork: bool },
}

/// What a runtime wants to remember between two calls. Opaque to everybody else; kept in the session's row, so it must
/// stay small (a few KiB).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunState(pub Value);

/// What a look at the agent showed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// To be stored with what is written of this observation: the next one starts from it.
    pub state: RunState,
    pub phase: Phase,
    /// What is new since the state that was passed in, in order.
    pub transcript: Vec<Entry>,
    /// What `usage` counts from its beginning: the agent's own session. Runs that go on in the same one share it.
    pub usage_scope: String,
    /// Cumulative for that scope, the agent's own children included.
    pub usage: Usage,
    /// How many finished turns have changed files so far in this run; a checkpoint is due when it grows.
    pub turns_with_changes: u32,
}

/// What the agent is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Handed over, not yet seen to work.
    Starting,
    Working,
    /// The provider fails for the moment and the agent waits to try again.
    Retrying {
        attempt: u32,
        message: String,
    },
    /// It cannot go on without an answer.
    Waiting(Question),
    /// The provider asks to wait so long that the agent should rest until then.
    Limited {
        message: String,
        resume_at: Time,
    },
    Finished(Finish),
}

/// How a run ended by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    Completed {
        result: Value,
        success_rate: Option<f64>,
        confidence_score: Option<f64>,
    },
    /// Part of the work stands, and this is what failed.
    Partial {
        result: Value,
        success_rate: Option<f64>,
        failure: Option<Failure>,
    },
    Failed(Failure),
    /// Somebody called it off at the agent itself.
    Aborted,
}

/// A question of an agent: the session is paused with it until it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    /// The agent's own id of the question; an answer names it.
    pub question_id: String,
    pub kind: QuestionKind,
    /// What is asked, in words.
    pub text: String,
    /// What may be chosen; empty = free text.
    #[serde(default)]
    pub options: Vec<Choice>,
    /// For an approval: the tool, its command or paths.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub details: Value,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// May it do this? Answered with approve or deny, for this one time.
    Approval,
    /// It needs words or a choice.
    Input,
    /// It needs a credential, which is given to the agent itself and never to us. Answered, or resumed, once that is done.
    Auth,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    pub label: String,
    #[serde(default)]
    pub description: String,
}

/// One new thing in the transcript. Each becomes an event of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry {
    Log {
        level: LogLevel,
        message: String,
    },
    /// `role` is `assistant`, `user` or `reasoning`; `part` is the agent's id of the part.
    Message {
        role: String,
        text: String,
        part: String,
    },
    Tool {
        tool: String,
        state: String,
        title: String,
        input: Option<Value>,
        output: Option<String>,
        part: String,
    },
    FileChanged {
        path: String,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// Something that a person says to a running agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// A further prompt.
    Text { text: String },
    /// The answer to a question.
    Answer { answer: Answer },
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub question_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approve,
    Deny,
}

/// A kind of agent that sessions can be handed to. Implemented per protocol; the conformance suite in
/// `tests/it/ports/runtime.rs` holds for every member.
#[async_trait]
pub trait AgentRuntime: Send + Sync {
    /// Prepares the workspace and hands the work over. Called again with the same `session_id` and `run` it finds what
    /// it began and has the effect of one call.
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure>;

    /// Looks at the run. Changes nothing at the agent but what it takes to go on (a lost prompt is posted again).
    /// A transient failure means "could not look", never "it failed": that is [`Finish::Failed`].
    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure>;

    /// Says something to the agent. `id` makes it idempotent.
    async fn say(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &Said,
    ) -> Result<RunState, Failure>;

    /// Calls the run off and waits until it rests. An unknown or finished run is no failure.
    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure>;

    /// What the work came to so far.
    async fn collect(&self, assignment: &Assignment, state: &RunState) -> Result<Work, Failure>;

    /// Gives the workspace back (files are removed, the branch with the committed work stays). An unknown run is no
    /// failure.
    async fn release(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure>;
}
