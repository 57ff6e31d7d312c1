//! The rules for an agent's requests for permission, and which of the answers it offers they select. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// The kind with this name of the protocol.
    pub fn parse(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
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

/// The rules of a session, such as `{"edit": "allow", "execute": "ask"}`.
///
/// `delete` and `move` follow `edit` where they have no rule, and `search` follows `read`. A kind without a rule is
/// allowed. A request whose kind is unknown could be of any kind, so the strictest rule holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PermissionPolicy {
    rules: BTreeMap<ToolKind, PermissionRule>,
}

impl PermissionPolicy {
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
        let Some(kind) = kind else { return strictest_rule(self.rules.values().copied()) };
        let rule = self.rules.get(&kind).or_else(|| self.rules.get(&kind.general()?));
        rule.copied().unwrap_or(PermissionRule::Allow)
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

    const KINDS: [ToolKind; 10] = [
        ToolKind::Read,
        ToolKind::Edit,
        ToolKind::Delete,
        ToolKind::Move,
        ToolKind::Search,
        ToolKind::Execute,
        ToolKind::Think,
        ToolKind::Fetch,
        ToolKind::SwitchMode,
        ToolKind::Other,
    ];

    fn policy(rules: serde_json::Value) -> PermissionPolicy {
        serde_json::from_value(rules).unwrap()
    }

    #[test]
    fn a_kind_without_a_rule_follows_the_more_general_kind() {
        let policy = policy(json!({"edit": "ask", "read": "deny", "move": "allow"}));
        assert_eq!(policy.decide(Some(ToolKind::Delete)), PermissionRule::Ask);
        assert_eq!(policy.decide(Some(ToolKind::Search)), PermissionRule::Deny);
        assert_eq!(policy.decide(Some(ToolKind::Move)), PermissionRule::Allow);
        assert_eq!(policy.decide(Some(ToolKind::Execute)), PermissionRule::Allow);
    }

    #[test]
    fn a_policy_with_an_unknown_kind_or_rule_is_refused() {
        assert!(serde_json::from_value::<PermissionPolicy>(json!({"edits": "ask"})).is_err());
        assert!(serde_json::from_value::<PermissionPolicy>(json!({"edit": "maybe"})).is_err());
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
        proptest::collection::btree_map(proptest::sample::select(&KINDS[..]), rule, 0..6)
            .prop_map(|rules| PermissionPolicy { rules })
    }

    proptest! {
        #[test]
        fn an_unknown_kind_is_never_treated_less_strictly_than_a_known_one(
            policy in any_policy(), kind in proptest::sample::select(&KINDS[..])
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
