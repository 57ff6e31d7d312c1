//! The contract with agents: one trait, implemented once per protocol. Every call may be repeated with the same
//! arguments after a crash, and must then have the effect of one call.

pub(in crate::agents) mod diff;
mod known_secrets;
mod output;
pub mod redaction;
pub mod workspace;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use crate::agents::contract::output::{FileChange, FileContent, FileStatus, OutputFile, RunOutput};
use crate::{
    agents::{contract::workspace::Workspace, environments::TaskEnvironment, registry::AgentEndpoint},
    kernel::{
        clock::Time,
        failure::{Category, Failure},
        id::{MessageId, SessionId, TenantId},
        usage::Usage,
    },
};

/// Everything that an agent needs to know about a session.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    /// The agent that works on it.
    pub agent: AgentEndpoint,
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
    /// The environment to work in; only loaded for a handover.
    pub environment: Option<TaskEnvironment>,
    pub cpu_limit: Option<f64>,
    pub memory_limit_mb: Option<i32>,
    /// How many seconds the session may still run.
    pub timeout_seconds: i64,
    pub continuation: Continuation,
}

/// Where a run starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Continuation {
    /// At the prompt.
    #[default]
    Start,
    /// Where the same run was paused: the agent's session and its files are unchanged. `ask` is false when only an
    /// answer is outstanding, so the agent gets no message.
    Resume { state: RunState, ask: bool },
    /// At a checkpoint: in the agent's own session if `state` is given and that session still exists; else at the
    /// prompt, with the stored patch applied to a fresh workspace and the summary sent to the agent. A `fork` leaves
    /// the agent session and files of the source untouched.
    Checkpoint { state: Option<RunState>, patch: String, summary: String, fork: bool },
}

/// The state that a runtime stores between two calls. It is opaque to all other code. It is kept in the session's row,
/// so it must stay small (a few KiB).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunState(pub Value);

/// The result of one observation of an agent.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The state to store. The next observation starts from it.
    pub state: RunState,
    pub phase: Phase,
    /// The transcript entries since the given state, in order.
    pub transcript: Vec<TranscriptEntry>,
    /// The scope of `usage`: the agent's own session. Runs that continue in the same session share it.
    pub usage_scope: String,
    /// Cumulative for that scope, the agent's own children included.
    pub usage: Usage,
    /// How many finished turns have changed files in this run. A checkpoint is due when it grows.
    pub turns_with_changes: u32,
}

impl Observation {
    /// Whether the run completed, and neither its result nor this observation has a word of the agent.
    pub fn ends_without_words(&self) -> bool {
        let Phase::Finished(Finish::Completed { result, .. }) = &self.phase else { return false };
        let is_word = |entry: &TranscriptEntry| matches!(entry, TranscriptEntry::Message { role, text, .. } if role == "assistant" && !text.trim().is_empty());
        is_blank(result) && !self.transcript.iter().any(is_word)
    }
}

/// Whether a result holds nothing: no number, no truth value, and no text but blanks.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_blank),
        Value::Object(map) => map.values().all(is_blank),
    }
}

/// What the agent is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Dispatched, but not yet seen working.
    Starting,
    Working,
    /// It needs an answer to continue.
    Waiting(Question),
    /// The provider imposes so long a wait that the session should be suspended until then.
    Limited {
        message: String,
        resume_at: Time,
    },
    Finished(Finish),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    Completed {
        result: Value,
        success_rate: Option<f64>,
        confidence_score: Option<f64>,
    },
    /// Part of the work succeeded; `failure` is the part that failed.
    Partial {
        result: Value,
        success_rate: Option<f64>,
        failure: Option<Failure>,
    },
    Failed(Failure),
    /// It was cancelled at the agent itself.
    Aborted,
}

/// A question of an agent. The session is paused until it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    /// The id of the question; the answer names it.
    pub question_id: String,
    /// The kind of question.
    pub kind: QuestionKind,
    /// The text of the question.
    pub text: String,
    /// The options to choose from; empty means a free text.
    #[serde(default)]
    pub options: Vec<Choice>,
    /// For an approval: the tool with its command or paths. For a wait: the ids of the sessions, as `sessions`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Object)]
    pub details: Value,
}

impl Question {
    /// The most sessions for which an agent waits at once.
    pub const MAX_SESSIONS: usize = 20;

    /// The sessions that the question waits for; `None` if it names none, too many, or something else.
    pub fn awaited_sessions(&self) -> Option<Vec<SessionId>> {
        let ids = self.details.get("sessions").map(Vec::<SessionId>::deserialize)?.ok()?;
        (1..=Self::MAX_SESSIONS).contains(&ids.len()).then_some(ids)
    }
}

/// The kind of question.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// Permission for one action. Answered with approve or deny, for this one time.
    Approval,
    /// Text or a choice.
    Input,
    /// A credential, which is given to the agent itself and never to us. Answer the question, or resume the session,
    /// once that is done.
    Auth,
    /// The end of the sessions that `details.sessions` names. The platform answers with what they came to; a person who
    /// says something ends the wait.
    Sessions,
}

/// An option of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    /// The text of the option; an answer names it.
    pub label: String,
    /// An explanation of the option.
    #[serde(default)]
    pub description: String,
}

/// A new entry of the transcript. Each becomes an event of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TranscriptEntry {
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

/// A message of a user to a running agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum UserMessage {
    /// Another prompt.
    Text { text: String },
    /// The answer to a question.
    Answer { answer: Answer },
}

/// The answer to a question of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The id of the question.
    pub question_id: String,
    /// The decision on an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The labels of the chosen options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
    /// The answer as free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The decision on an approval.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approve,
    Deny,
}

/// Whether a failed probe shows that the server is down. One that refuses our credential works.
pub fn shows_outage(failure: &Failure) -> bool {
    failure.category != Category::Auth
}

/// A protocol by which sessions are run on agents. The conformance suite in `tests/it/ports/runtime.rs` holds for every
/// implementation.
#[async_trait]
pub trait AgentRuntime: Send + Sync {
    /// Prepares the workspace and starts the run. A repeated call with the same `session_id` and `run` finds what the
    /// first call started.
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure>;

    /// Whether the run that this one continues was cancelled and may still deliver its work.
    async fn awaits_earlier_work(&self, _assignment: &Assignment) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Whether a dispatched run waits until the agent fetches it. Then the session is only offered until an observation
    /// shows that the run was claimed; otherwise the agent accepts the run with the dispatch.
    fn awaits_claim(&self, _assignment: &Assignment) -> bool {
        false
    }

    /// Withdraws a run that waits to be claimed. False: the agent has claimed it.
    async fn withdraw(&self, _assignment: &Assignment, _state: &RunState) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Observes the run. Changes nothing at the agent, except what the run needs to continue (a lost prompt is posted
    /// again). A transient failure means that the observation failed, not the run: a failed run is [`Finish::Failed`].
    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure>;

    /// Sends a message to the agent. `id` makes the call idempotent.
    async fn send_message(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure>;

    /// Cancels the run and waits until it has stopped. Succeeds if the run is unknown or finished.
    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure>;

    /// The output of the run so far.
    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure>;

    /// Asks cheaply whether the agent's server answers, for its circuit breaker. Starts no work. A runtime without a
    /// server always answers.
    async fn probe(&self, _agent: &AgentEndpoint) -> Result<(), Failure> {
        Ok(())
    }

    /// Releases the workspace: its files are removed, and the branch with the committed work remains. Succeeds if the
    /// run is unknown.
    async fn release_workspace(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure>;
}
