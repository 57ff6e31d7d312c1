//! The audit log: who changed what, on what, before and after, written in the transaction of the change itself.
//!
//! A use case hands an [`Entry`] to [`Tx::audit`](crate::db::Tx::audit); it is appended to the tenant's chain right
//! before the commit, so that the chain is held for as short as it can be.

pub mod service;
pub mod store;

use std::{fmt::Display, sync::Arc};

use serde_json::{Map, Value};

use crate::{auth::Actor, clock::Time, redact};

/// Who changes something, and in which call.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    /// The request or the run of a job; `None` for what the system does by itself.
    pub request_id: Option<Arc<str>>,
    /// Where the call came from, as far as we know.
    pub address: Option<Arc<str>>,
}

impl From<Actor> for By {
    fn from(actor: Actor) -> Self {
        Self { actor, request_id: None, address: None }
    }
}

/// One entry to be written.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) by: By,
    pub(crate) at: Time,
    pub(crate) action: String,
    pub(crate) object_kind: &'static str,
    pub(crate) object_id: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Entry {
    /// `action` is `<kind>.<verb>`, such as `api_key.revoke`.
    pub fn new(by: impl Into<By>, at: Time, action: impl Into<String>, object_id: impl Display) -> Self {
        let action = action.into();
        let object_kind =
            KINDS.iter().find(|kind| action.strip_prefix(**kind).is_some_and(|rest| rest.starts_with('.')));
        debug_assert!(object_kind.is_some(), "{action} names no kind of KINDS");
        Self {
            by: by.into(),
            at,
            object_kind: object_kind.copied().unwrap_or("other"),
            action,
            object_id: object_id.to_string(),
            before: None,
            after: None,
        }
    }

    /// What it was, with secrets masked.
    #[must_use]
    pub fn before(mut self, value: Value) -> Self {
        self.before = Some(redact::masked(value));
        self
    }

    /// What it is now, with secrets masked.
    #[must_use]
    pub fn after(mut self, value: Value) -> Self {
        self.after = Some(redact::masked(value));
        self
    }

    /// Keeps of before and after only the fields in which they differ.
    #[must_use]
    pub fn changes(self, before: &Value, after: &Value) -> Self {
        let (old, new) = differing(before, after);
        self.before(Value::Object(old)).after(Value::Object(new))
    }
}

/// What entries are about.
pub const KINDS: [&str; 12] = [
    "agent",
    "agent_token",
    "api_key",
    "audit",
    "dataset",
    "experiment",
    "session",
    "tenant",
    "user",
    "training_job",
    "training_provider",
    "model",
];

fn differing(before: &Value, after: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Default::default() };
    let only = |one: &Map<String, Value>, other: &Map<String, Value>| {
        let kept = one.iter().filter(|(name, value)| other.get(*name) != Some(value));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
    };
    (only(before, after), only(after, before))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_keeps_only_what_differs() {
        let entry = Entry::new(Actor::system("test"), Time::default(), "tenant.update", "1")
            .changes(&json!({"name": "a", "limit": 1}), &json!({"name": "a", "limit": 2}));
        assert_eq!(entry.before, Some(json!({"limit": 1})));
        assert_eq!(entry.after, Some(json!({"limit": 2})));
        assert_eq!(entry.object_kind, "tenant");
    }

    #[test]
    fn the_kind_is_the_whole_word_before_the_dot() {
        let entry = Entry::new(Actor::system("test"), Time::default(), "agent_token.rotate", "1");
        assert_eq!(entry.object_kind, "agent_token");
    }
}
