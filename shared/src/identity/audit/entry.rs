//! An entry of the audit log before it is stored.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::kernel::{actor::By, clock::Time, redact};

/// An entry that is not stored yet.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    pub(crate) by: By,
    pub(crate) at: Time,
    pub(crate) action: String,
    pub(crate) object_kind: &'static str,
    pub(crate) object_id: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl AuditEntry {
    /// `action` is `<kind>.<verb>`, such as `api_key.revoke`.
    pub fn new(by: impl Into<By>, at: Time, action: impl Into<String>, object_id: impl Display) -> Self {
        let action = action.into();
        let object_kind =
            OBJECT_KINDS.iter().find(|kind| action.strip_prefix(**kind).is_some_and(|rest| rest.starts_with('.')));
        debug_assert!(object_kind.is_some(), "{action} names no kind of OBJECT_KINDS");
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

    /// Sets the state before the change, with secrets masked.
    #[must_use]
    pub fn with_before(mut self, value: Value) -> Self {
        self.before = Some(redact::mask_secrets(value));
        self
    }

    /// Sets the state after the change, with secrets masked.
    #[must_use]
    pub fn with_after(mut self, value: Value) -> Self {
        self.after = Some(redact::mask_secrets(value));
        self
    }

    /// Sets both states, reduced to the fields in which they differ.
    #[must_use]
    pub fn with_changes(self, before: &Value, after: &Value) -> Self {
        let (old, new) = changed_fields(before, after);
        self.with_before(Value::Object(old)).with_after(Value::Object(new))
    }
}

/// The kinds of objects that entries refer to.
pub const OBJECT_KINDS: [&str; 16] = [
    "agent",
    "agent_token",
    "api_key",
    "audit",
    "dataset",
    "environment",
    "experiment",
    "runner",
    "runner_enrolment",
    "secret",
    "session",
    "tenant",
    "user",
    "training_job",
    "training_provider",
    "model",
];

fn changed_fields(before: &Value, after: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Default::default() };
    let only = |one: &Map<String, Value>, other: &Map<String, Value>| {
        let changed = one.iter().filter(|(name, value)| other.get(*name) != Some(value));
        changed.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
    };
    (only(before, after), only(after, before))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kernel::actor::Actor;

    #[test]
    fn an_entry_keeps_only_what_differs() {
        let entry = AuditEntry::new(Actor::system_part("test"), Time::default(), "tenant.update", "1")
            .with_changes(&json!({"name": "a", "limit": 1}), &json!({"name": "a", "limit": 2}));
        assert_eq!(entry.before, Some(json!({"limit": 1})));
        assert_eq!(entry.after, Some(json!({"limit": 2})));
        assert_eq!(entry.object_kind, "tenant");
    }

    #[test]
    fn the_object_kind_is_the_whole_word_before_the_dot() {
        let entry = AuditEntry::new(Actor::system_part("test"), Time::default(), "agent_token.rotate", "1");
        assert_eq!(entry.object_kind, "agent_token");
    }
}
