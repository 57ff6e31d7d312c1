//! The rules for an agent's requests for permission, and which of the answers it offers they select. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much of a wrong value a message shows, in characters.
const SHOWN: usize = 100;

/// The kind of a tool. It is a claim of the agent: its sandbox is what bounds an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// Reads files or data.
    Read,
    /// Changes files or content.
    Edit,
    /// Removes files or data.
    Delete,
    /// Moves or renames files.
    Move,
    /// Searches for information.
    Search,
    /// Runs commands or code.
    Execute,
    /// Plans or reasons.
    Think,
    /// Retrieves data from elsewhere.
    Fetch,
    /// Changes the mode of the session.
    SwitchMode,
    /// Something else, such as a tool of an MCP server.
    Other,
}

impl ToolKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Edit,
        Self::Delete,
        Self::Move,
        Self::Search,
        Self::Execute,
        Self::Think,
        Self::Fetch,
        Self::SwitchMode,
        Self::Other,
    ];

    /// The kind with this name of the protocol.
    pub fn parse(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }

    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Search => "search",
            Self::Execute => "execute",
            Self::Think => "think",
            Self::Fetch => "fetch",
            Self::SwitchMode => "switch_mode",
            Self::Other => "other",
        }
    }

    /// The kind whose rule holds where this one has none.
    fn general(self) -> Option<Self> {
        match self {
            Self::Delete | Self::Move => Some(Self::Edit),
            Self::Search => Some(Self::Read),
            _ => None,
        }
    }
}

/// The reaction to a request for permission. The order is that of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionRule {
    /// It is granted at once.
    Allow,
    /// A person decides.
    Ask,
    /// It is refused at once.
    Deny,
}

/// The rules of a session, such as `{"edit": "allow", "execute": "ask", "default": "deny"}`.
///
/// `delete` and `move` follow `edit` where they have no rule, and `search` follows `read`. What then has no rule
/// follows `default`, and is allowed without one. A request whose kind is unknown could be of any kind, so the
/// strictest rule holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionPolicy {
    rules: BTreeMap<ToolKind, PermissionRule>,
    default: Option<PermissionRule>,
}

/// Why rules cannot be used. The person who wrote them has to act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPermissions {
    /// They are no object.
    #[error("`permissions` must be an object such as {{\"execute\": \"ask\"}}, and is {value}")]
    NotAnObject { value: String },
    /// There is no such kind of tools.
    #[error(
        "`permissions` has the kind of tools {kind:?}, which does not exist: use read, edit, delete, move, search, \
         execute, think, fetch, switch_mode, other, or default"
    )]
    UnknownKind { kind: String },
    /// There is no such rule.
    #[error("`permissions.{kind}` is {value}: use \"allow\", \"ask\" or \"deny\"")]
    UnknownRule { kind: String, value: String },
}

impl InvalidPermissions {
    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        "PERMISSIONS_INVALID"
    }
}

impl PermissionPolicy {
    /// Reads rules as sessions have them: an object of kinds of tools, and `default` for all kinds without a rule.
    pub fn parse(rules: &Value) -> Result<Self, InvalidPermissions> {
        let shorten = |text: &str| text.chars().take(SHOWN).collect::<String>();
        let Value::Object(entries) = rules else {
            return Err(InvalidPermissions::NotAnObject { value: shorten(&rules.to_string()) });
        };
        let mut policy = Self::default();
        for (kind, rule) in entries {
            let unknown = || InvalidPermissions::UnknownRule { kind: shorten(kind), value: shorten(&rule.to_string()) };
            let read = || PermissionRule::deserialize(rule).map_err(|_| unknown());
            if kind == "default" {
                policy.default = Some(read()?);
            } else if let Some(kind) = ToolKind::parse(kind) {
                policy.rules.insert(kind, read()?);
            } else {
                return Err(InvalidPermissions::UnknownKind { kind: shorten(kind) });
            }
        }
        Ok(policy)
    }

    /// A policy that allows everything.
    pub fn allow_all() -> Self {
        Self::default()
    }

    /// This policy with another rule for a kind.
    #[must_use]
    pub fn with_rule(mut self, kind: ToolKind, rule: PermissionRule) -> Self {
        self.rules.insert(kind, rule);
        self
    }

    /// The rule for a request of this kind, `None` for one whose kind is unknown.
    pub fn decide(&self, kind: Option<ToolKind>) -> PermissionRule {
        match kind {
            Some(kind) => self.find(kind).unwrap_or(PermissionRule::Allow),
            None => strictest_rule(self.rules.values().copied().chain(self.default)),
        }
    }

    /// This policy, and that of `base` for the kinds about which this one says nothing.
    #[must_use]
    pub fn or(&self, base: &Self) -> Self {
        let find = |kind: ToolKind| Some((kind, self.find(kind).or_else(|| base.find(kind))?));
        Self { rules: ToolKind::ALL.into_iter().filter_map(find).collect(), default: self.default.or(base.default) }
    }

    fn find(&self, kind: ToolKind) -> Option<PermissionRule> {
        let own = self.rules.get(&kind).or_else(|| self.rules.get(&kind.general()?));
        own.copied().or(self.default)
    }

    /// Whether no request is asked about or refused.
    pub fn allows_everything(&self) -> bool {
        self.decide(None) == PermissionRule::Allow
    }
}

/// The strictest of some rules; allow where there is none.
pub fn strictest_rule(rules: impl IntoIterator<Item = PermissionRule>) -> PermissionRule {
    rules.into_iter().max().unwrap_or(PermissionRule::Allow)
}

/// The meaning of an answer that an agent offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionChoice {
    /// Granted for this call.
    AllowOnce,
    /// Granted for this and like calls.
    AllowAlways,
    /// Refused for this call.
    RejectOnce,
    /// Refused for this and like calls.
    RejectAlways,
}

/// One answer that an agent offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PermissionOption {
    /// Names the answer towards the agent.
    pub id: String,
    /// Its label for people.
    pub name: String,
    /// Its meaning; absent where the agent uses a meaning that is not in the protocol.
    pub choice: Option<PermissionChoice>,
}

/// The answer that grants or refuses a request. One that holds once is preferred, so that the next call is decided by
/// the policy again.
pub fn find_option(options: &[PermissionOption], granted: bool) -> Option<&PermissionOption> {
    let wanted = if granted {
        [PermissionChoice::AllowOnce, PermissionChoice::AllowAlways]
    } else {
        [PermissionChoice::RejectOnce, PermissionChoice::RejectAlways]
    };
    wanted.iter().find_map(|wanted| options.iter().find(|option| option.choice == Some(*wanted)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn policy(rules: &Value) -> PermissionPolicy {
        PermissionPolicy::parse(rules).unwrap()
    }

    #[test]
    fn a_kind_without_a_rule_follows_the_more_general_kind() {
        let policy = policy(&json!({"edit": "ask", "read": "deny", "move": "allow"}));
        assert_eq!(policy.decide(Some(ToolKind::Delete)), PermissionRule::Ask);
        assert_eq!(policy.decide(Some(ToolKind::Search)), PermissionRule::Deny);
        assert_eq!(policy.decide(Some(ToolKind::Move)), PermissionRule::Allow);
        assert_eq!(policy.decide(Some(ToolKind::Execute)), PermissionRule::Allow);
    }

    #[test]
    fn a_kind_without_any_rule_follows_the_default() {
        let policy = policy(&json!({"edit": "allow", "default": "deny"}));
        assert_eq!(policy.decide(Some(ToolKind::Delete)), PermissionRule::Allow);
        assert_eq!(policy.decide(Some(ToolKind::Execute)), PermissionRule::Deny);
        assert_eq!(policy.decide(None), PermissionRule::Deny);
        assert!(!policy.allows_everything() && PermissionPolicy::allow_all().allows_everything());
    }

    #[test]
    fn a_session_replaces_only_the_rules_that_it_names() {
        let runner = policy(&json!({"edit": "deny", "execute": "ask"}));
        let session = policy(&json!({"edit": "ask"})).or(&runner);
        assert_eq!(session.decide(Some(ToolKind::Move)), PermissionRule::Ask);
        assert_eq!(session.decide(Some(ToolKind::Execute)), PermissionRule::Ask);
        assert_eq!(session.decide(Some(ToolKind::Fetch)), PermissionRule::Allow);
        let all = policy(&json!({"default": "allow"})).or(&runner);
        assert!(all.allows_everything());
        assert_eq!(PermissionPolicy::default().or(&runner).decide(Some(ToolKind::Edit)), PermissionRule::Deny);
    }

    #[test]
    fn wrong_rules_are_refused_with_the_remedy() {
        for (rules, expected) in [
            (json!({"edits": "ask"}), "the kind of tools \"edits\", which does not exist: use read, edit"),
            (json!({"edit": "maybe"}), "`permissions.edit` is \"maybe\": use \"allow\", \"ask\" or \"deny\""),
            (json!({"default": true}), "`permissions.default` is true"),
            (json!("ask"), "must be an object such as {\"execute\": \"ask\"}, and is \"ask\""),
            (json!(["x".repeat(1000)]), "and is [\"xxx"),
        ] {
            let error = PermissionPolicy::parse(&rules).unwrap_err();
            assert!(error.to_string().contains(expected) && error.to_string().len() < 300, "{error}");
        }
    }

    #[test]
    fn an_answer_that_holds_once_is_preferred() {
        let option = |id: &str, choice| PermissionOption { id: id.into(), name: id.into(), choice: Some(choice) };
        let all = [
            option("always", PermissionChoice::AllowAlways),
            option("once", PermissionChoice::AllowOnce),
            option("never", PermissionChoice::RejectAlways),
        ];
        assert_eq!(find_option(&all, true).unwrap().id, "once");
        assert_eq!(find_option(&all[..1], true).unwrap().id, "always");
        assert_eq!(find_option(&all, false).unwrap().id, "never");
        assert!(find_option(&all[..2], false).is_none());
    }

    fn any_policy() -> impl Strategy<Value = PermissionPolicy> {
        let rule = prop_oneof![Just(PermissionRule::Allow), Just(PermissionRule::Ask), Just(PermissionRule::Deny)];
        let rules = proptest::collection::btree_map(proptest::sample::select(&ToolKind::ALL[..]), rule.clone(), 0..6);
        (rules, proptest::option::of(rule)).prop_map(|(rules, default)| PermissionPolicy { rules, default })
    }

    proptest! {
        #[test]
        fn an_unknown_kind_is_never_treated_less_strictly_than_a_known_one(
            policy in any_policy(), kind in proptest::sample::select(&ToolKind::ALL[..])
        ) {
            prop_assert!(policy.decide(None) >= policy.decide(Some(kind)));
        }

        #[test]
        fn a_refusal_never_selects_an_answer_that_grants(choices in proptest::collection::vec(0..5_usize, 0..6)) {
            let all = [
                Some(PermissionChoice::AllowOnce),
                Some(PermissionChoice::AllowAlways),
                Some(PermissionChoice::RejectOnce),
                Some(PermissionChoice::RejectAlways),
                None,
            ];
            let options: Vec<_> = choices.iter().enumerate().map(|(at, choice)| PermissionOption {
                id: at.to_string(), name: String::new(), choice: all[*choice],
            }).collect();
            let refusals = [Some(PermissionChoice::RejectOnce), Some(PermissionChoice::RejectAlways)];
            prop_assert!(find_option(&options, false).is_none_or(|option| refusals.contains(&option.choice)));
            prop_assert!(find_option(&options, true).is_none_or(|option| !refusals.contains(&option.choice)));
        }
    }
}
