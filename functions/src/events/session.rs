//! The payloads of the events of a session.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use shared::{
    agents::contract::{Answer, LogLevel},
    kernel::{
        id::{ArtifactId, SessionId},
        session_type::SessionType,
    },
    sessions::{
        ForkedFrom,
        status::{PauseReason, Status},
    },
};
use utoipa::ToSchema;

payload! {
    /// A session was created.
    SessionCreated {
        /// The title of the session.
        title: String,
        /// The kind of work.
        session_type: SessionType,
        /// The priority, as a word.
        priority: String,
        /// The parent session; null for a root session.
        parent_id: Option<SessionId>,
        /// The origin of a forked session; null otherwise.
        forked_from: Option<ForkedFrom>,
    }

    /// The status of a session changed.
    SessionStatusChange {
        /// The previous status.
        from: Status,
        /// The new status.
        to: Status,
        /// Why the status changed.
        reason: String,
        /// Why the session is paused. Only for changes to `paused`.
        pause_reason: Option<PauseReason>,
    }

    /// Fields of a session changed.
    SessionUpdate {
        /// The new values of the changed fields.
        changed: BTreeMap<String, Value>,
    }

    /// A line of a session's log.
    SessionLogLine {
        /// The level of the line.
        #[schema(value_type = String)]
        level: LogLevel,
        /// The text of the line.
        message: String,
        /// The code of the error. Only for errors.
        code: Option<String>,
        /// Further details that were reported with a failure.
        context: Option<BTreeMap<String, Value>>,
    }

    /// A message of a user or the agent.
    SessionMessage {
        /// `user`, `assistant` or `reasoning`.
        role: String,
        /// The text of the message; null for an answer without a text.
        text: Option<String>,
        /// The id of the part of the transcript.
        part: String,
        /// The answer to a question. Only for answers.
        answer: Option<Answer>,
    }

    /// A call of a tool by the agent.
    ToolCall {
        /// The name of the tool.
        tool: String,
        /// The state of the call.
        state: String,
        /// A description of the call.
        title: String,
        /// The input of the call.
        input: Option<Value>,
        /// The output of the call.
        output: Option<String>,
        /// The id of the part of the transcript.
        part: String,
    }

    /// A file that the agent changed.
    ChangedPath {
        /// The path of the file.
        path: String,
    }

    /// The usage of a session so far.
    SessionUsageTotal {
        /// The number of input tokens.
        tokens_input: i64,
        /// The number of output tokens.
        tokens_output: i64,
        /// The number of reasoning tokens.
        tokens_reasoning: i64,
        /// The number of cached input tokens.
        tokens_cached: i64,
        /// The cost in US dollars, as decimal text with six places.
        cost_usd: String,
    }

    /// A checkpoint was taken.
    CheckpointTaken {
        /// The number of the checkpoint.
        sequence: i32,
        /// `dispatch`, `turn`, `pause`, `stop` or `manual`.
        cause: String,
        /// The note of the caller; null without one.
        note: Option<String>,
    }

    /// A file of the session was stored.
    StoredArtifact {
        /// The id of the artifact.
        id: ArtifactId,
        /// The path of the file, relative to the workspace.
        path: String,
        /// The media type of the content.
        mime_type: String,
        /// The size of the content in bytes.
        size: i64,
        /// The SHA-256 of the content, in hexadecimal.
        sha256: String,
        /// When the artifact was stored.
        #[schema(value_type = String, format = DateTime)]
        at: chrono::DateTime<chrono::Utc>,
    }
}
