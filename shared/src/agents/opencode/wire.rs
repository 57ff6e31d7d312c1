//! What OpenCode's server sends, as far as we read it. Everything is optional and unknown kinds are kept, since its
//! releases come weekly.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) directory: String,
    pub(super) cost: f64,
    pub(super) tokens: Tokens,
    pub(super) metadata: Map<String, Value>,
    pub(super) time: Times,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    pub(super) input: f64,
    pub(super) output: f64,
    pub(super) reasoning: f64,
    pub(super) cache: Cache,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cache {
    pub(super) read: f64,
    pub(super) write: f64,
}

/// Milliseconds since the epoch, by the server's clock. Some places send fractions.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Times {
    pub(super) created: f64,
    pub(super) completed: Option<f64>,
    pub(super) end: Option<f64>,
}

impl Times {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of our age fit an i64")]
    pub(super) fn created_ms(self) -> i64 {
        self.created as i64
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) info: Info,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) id: String,
    pub(super) role: String,
    #[serde(rename = "parentID")]
    pub(super) parent_id: String,
    pub(super) time: Times,
    pub(super) finish: Option<String>,
    pub(super) error: Option<Fault>,
    /// True of the message that a compaction wrote; of a user's message it is an object.
    pub(super) summary: Value,
}

impl Info {
    pub(super) fn is_assistant(&self) -> bool {
        self.role == "assistant" && self.summary != Value::Bool(true)
    }
}

/// An error of a run: its name says what it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) data: FaultData,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FaultData {
    pub(super) message: String,
    #[serde(rename = "statusCode")]
    pub(super) status: Option<u16>,
    #[serde(rename = "isRetryable")]
    pub(super) retryable: bool,
    #[serde(rename = "responseBody")]
    pub(super) body: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) synthetic: bool,
    pub(super) ignored: bool,
    pub(super) time: Option<Times>,
    pub(super) tool: String,
    pub(super) state: ToolState,
    /// Of a patch.
    pub(super) files: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolState {
    pub(super) status: String,
    pub(super) input: Value,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) title: Option<String>,
}

/// A session that is absent from the map of these is idle.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) attempt: u32,
    pub(super) message: String,
    /// When it tries again, in ms.
    pub(super) next: f64,
}

pub(super) type Statuses = BTreeMap<String, Status>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PermissionRequest {
    pub(super) id: String,
    #[serde(rename = "sessionID")]
    pub(super) session_id: String,
    pub(super) permission: String,
    pub(super) patterns: Vec<String>,
    pub(super) metadata: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct QuestionRequest {
    pub(super) id: String,
    #[serde(rename = "sessionID")]
    pub(super) session_id: String,
    pub(super) questions: Vec<Asked>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) question: String,
    pub(super) header: String,
    pub(super) options: Vec<AskedOption>,
    pub(super) multiple: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AskedOption {
    pub(super) label: String,
    pub(super) description: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) hidden: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Providers {
    pub(super) providers: Vec<Provider>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) models: BTreeMap<String, Value>,
}
