//! How one OpenCode server is reached and what it may be used for. The password never reaches a log.

use std::{fmt, time::Duration};

use serde_json::Value;

/// One server. It serves one trust zone: whoever may run a tool on it can reach all that its process can.
#[derive(Clone)]
pub struct Settings {
    /// Such as `http://agents.internal:4096`.
    pub base_url: String,
    pub username: String,
    pub password: String,
    /// An absolute directory on the agent's machine. Everything that sessions need is made under it.
    pub workspace_root: String,
    /// The absolute directories that `workspace.directory` may name, themselves included. Empty = none.
    pub directory_roots: Vec<String>,
    /// The author of commits in a workspace, where neither its repository nor the agent's machine names one.
    pub git_name: String,
    pub git_email: String,
    /// The bound of an ordinary call.
    pub call_timeout: Duration,
    /// The bound of a call that runs a script, such as a clone. The script itself goes on beyond it, so that a repeated
    /// call finds it done.
    pub prepare_timeout: Duration,
    /// How long a sight that may be passing (no status, nothing stored) must last before it is believed.
    pub grace: Duration,
    /// At this attempt the provider is given up.
    pub max_provider_retries: u32,
    /// A longer wait than this is not waited for by a running agent.
    pub max_retry_wait: Duration,
    /// How long an abort may take until the agent rests.
    pub abort_timeout: Duration,
    /// OpenCode's own agent, where the session names none by `agent_config.opencode_agent`.
    pub agent: String,
    /// Permission rules of every session, before the ones that are always set. The last that matches wins.
    pub rules: Vec<Rule>,
    /// The longest patch that is collected, in bytes.
    pub patch_limit: usize,
}

/// One permission rule of OpenCode.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize)]
pub struct Rule {
    /// Such as `bash` or `edit`.
    pub permission: String,
    /// Such as `git push*`.
    pub pattern: String,
    /// `allow`, `ask` or `deny`. A subagent does not inherit `ask`: state that in the server's own configuration.
    pub action: String,
}

impl Settings {
    /// Settings with the defaults for everything that has one.
    pub fn new(base_url: impl Into<String>, password: impl Into<String>, workspace_root: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            username: "opencode".to_owned(),
            password: password.into(),
            workspace_root: workspace_root.into(),
            directory_roots: Vec::new(),
            git_name: "ioc agent".to_owned(),
            git_email: "agent@ioc.invalid".to_owned(),
            call_timeout: Duration::from_secs(10),
            prepare_timeout: Duration::from_mins(2),
            grace: Duration::from_secs(5),
            max_provider_retries: 4,
            max_retry_wait: Duration::from_mins(1),
            abort_timeout: Duration::from_secs(10),
            agent: "build".to_owned(),
            rules: Vec::new(),
            patch_limit: 4 << 20,
        }
    }

    /// The rules that a session is opened with. Leaving the workspace is denied last, so nothing can allow it; a
    /// question may be asked, as somebody answers it.
    pub(super) fn permission(&self) -> Value {
        let mut rules = vec![rule("question", "*", "allow")];
        rules.extend(self.rules.iter().map(|each| rule(&each.permission, &each.pattern, &each.action)));
        rules.push(rule("external_directory", "*", "deny"));
        Value::Array(rules)
    }
}

fn rule(permission: &str, pattern: &str, action: &str) -> Value {
    serde_json::json!({"permission": permission, "pattern": pattern, "action": action})
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_url", &self.base_url)
            .field("username", &self.username)
            .field("workspace_root", &self.workspace_root)
            .field("directory_roots", &self.directory_roots)
            .field("git_name", &self.git_name)
            .field("git_email", &self.git_email)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let settings = Settings::new("http://127.0.0.1:1", "hunter2", "/srv");
        assert!(!format!("{settings:?} {settings:#?}").contains("hunter2"));
    }

    #[test]
    fn no_rule_can_allow_what_lies_outside_the_workspace() {
        let mut settings = Settings::new("http://127.0.0.1:1", "", "/srv");
        let action = "allow".to_owned();
        settings.rules.push(Rule { permission: "external_directory".to_owned(), pattern: "*".to_owned(), action });
        let rules = settings.permission();
        assert_eq!(rules[2], rule("external_directory", "*", "deny"));
    }
}
