//! Scripts on the agent's machine, through the server's own shell: orchestrator and agent share no disk.
//!
//! OpenCode puts a command between double quotes into an `eval`, so single quotes do not keep `$(..)` from being run.
//! A script therefore travels as base64, of which no shell makes anything, and holds its values quoted.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{OpenCode, client::Refusal};
use crate::kernel::failure::{Category, Failure};

/// A directory that every machine has. The server keeps memory for each directory that it is called with, so all
/// housekeeping is done in one, and the scripts name their places in full.
pub(super) const HOUSEKEEPING: &str = "/";
const COMMON: &str = include_str!("scripts/common.sh");
/// After this a script is given up on the machine itself, so that none stays for ever.
const LONGEST: Duration = Duration::from_mins(30);

/// What a script reported, by key.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report(BTreeMap<String, Vec<u8>>);

impl Report {
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn bytes(&self, key: &str) -> &[u8] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// What a script must have told.
    pub(super) fn required(&self, key: &str) -> Result<String, Failure> {
        self.text(key).ok_or_else(|| broken("it reported nothing"))
    }
}

/// The values of a script: each becomes an assignment.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(String);

impl Values {
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let _ = writeln!(self.0, "{name}={}", quote(value));
        self
    }

    #[must_use]
    pub(super) fn with_list(mut self, name: &str, values: &[String]) -> Self {
        let quoted: Vec<_> = values.iter().map(|value| quote(value)).collect();
        let _ = writeln!(self.0, "{name}=({})", quoted.join(" "));
        self
    }
}

/// One word of a shell, whatever it holds. A NUL cannot be in one and is left out.
pub(super) fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\0', "").replace('\'', r"'\''"))
}

/// The command line that runs a script.
fn command(values: &Values, script: &str) -> String {
    let whole = STANDARD.encode(format!("{}\n{COMMON}\n{script}", values.0));
    format!("printf %s {whole} | base64 -d | timeout -k 5 {} bash", LONGEST.as_secs())
}

/// Reads the `@ioc <key> <base64>` lines; all else is what a profile or a tool said.
fn read(output: &str) -> Report {
    let told = output.lines().filter_map(|line| {
        let told = line.trim_end().strip_prefix("@ioc ")?;
        let (key, value) = told.split_once(' ').unwrap_or((told, ""));
        Some((key.to_owned(), STANDARD.decode(value).ok()?))
    });
    Report(told.collect())
}

fn broken(why: &str) -> Failure {
    Failure::transient("WORKSPACE_SCRIPT", format!("A script on the agent's machine failed: {why}."))
}

impl OpenCode {
    /// Runs a script in a session of its own, which is gone afterwards: the working session may be busy.
    pub(super) async fn run(&self, values: &Values, script: &str) -> Result<Report, Failure> {
        let body = json!({"title": "ioc housekeeping", "metadata": {"ioc_housekeeping": true}});
        let session = self.client.create(HOUSEKEEPING, &body).await?;
        let body = json!({"agent": self.settings.agent, "command": command(values, script)});
        let answer = self.client.shell(HOUSEKEEPING, &session.id, &body, self.settings.prepare_timeout).await;
        let message = match answer {
            Ok(message) => message,
            // It may still be at work; `sweep` takes its session away later.
            Err(Refusal::Failure(failure)) if failure.code == "AGENT_UNREACHABLE" => return Err(failure),
            Err(refusal) => {
                let _ = self.client.delete(HOUSEKEEPING, &session.id).await;
                return Err(refusal.into());
            }
        };
        let _ = self.client.delete(HOUSEKEEPING, &session.id).await;
        let outputs = message.parts.into_iter().filter_map(|part| part.state.output);
        let report = read(&outputs.collect::<Vec<_>>().join("\n"));
        match report.text("error") {
            Some(code) => Err(failure(&code, &report.text("message").unwrap_or_default())),
            None if report.0.is_empty() => Err(broken("it said nothing")),
            None => Ok(report),
        }
    }

    /// Takes away housekeeping sessions that a crash of ours left, an hour after.
    pub(super) async fn sweep(&self) -> Result<(), Failure> {
        let sessions = self.client.sessions(HOUSEKEEPING).await?;
        let newest = sessions.iter().map(|session| session.time.created_ms()).max().unwrap_or(0);
        for session in sessions {
            let ours = session.metadata.get("ioc_housekeeping") == Some(&Value::Bool(true));
            if ours && session.time.created_ms() < newest - 3_600_000 {
                let _ = self.client.delete(HOUSEKEEPING, &session.id).await;
            }
        }
        Ok(())
    }
}

/// What the code of a script, or the words of git, mean for the session.
fn failure(code: &str, message: &str) -> Failure {
    let message = message.trim();
    match code {
        "DIRECTORY_FORBIDDEN" => Failure::new(Category::Policy, code, message),
        "DIRECTORY_MISSING" => Failure::new(Category::User, code, message),
        "REFERENCE" => Failure::new(Category::User, "REFERENCE_UNKNOWN", message),
        "PATCH" => Failure::new(Category::User, "PATCH_REFUSED", message),
        "MACHINE_UNFIT" | "ROOT_UNUSABLE" => Failure::new(Category::Internal, code, message),
        "FETCH" => git(message),
        _ => Failure::transient(code, message),
    }
}

/// Git has one exit status for everything, so its words must tell.
fn git(message: &str) -> Failure {
    let said = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["authentication failed", "could not read username", "permission denied (", "terminal prompts disabled"])
        || says(&["returned error: 401", "returned error: 403", "host key verification failed"])
    {
        return Failure::new(Category::Auth, "REPOSITORY_REFUSED", message);
    }
    if says(&["couldn't find remote ref", "not our ref", "unknown revision", "invalid reference"]) {
        return Failure::new(Category::User, "REFERENCE_UNKNOWN", message);
    }
    if says(&["not found", "does not exist", "does not appear to be a git repository", "dubious ownership"]) {
        return Failure::new(Category::User, "REPOSITORY_UNUSABLE", message);
    }
    Failure::transient("REPOSITORY_UNREACHABLE", message)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn bash(command: &str) -> String {
        // The way OpenCode runs it: within double quotes, in an eval.
        let wrapped = format!("eval {}", serde_json::to_string(command).unwrap());
        let output = Command::new("bash").args(["-c", &wrapped]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_value_reaches_the_script_as_it_is(value in "[ -~\n\t'\"$`\\\\é]{0,60}") {
            let values = Values::default().with("value", &value);
            let script = format!("{}\nprintf '@ioc value %s\\n' \"$(printf %s \"$value.\" | base64 -w 0)\"", values.0);
            let line = format!("printf %s {} | base64 -d | bash", STANDARD.encode(script));
            prop_assert_eq!(read(&bash(&line)).text("value"), Some(format!("{value}.")));
        }
    }

    #[test]
    fn a_command_line_holds_nothing_that_a_shell_expands() {
        let values = Values::default().with_list("roots", &["$(id)".to_owned(), "`id`; it's".to_owned()]);
        let line = command(&values, "echo \"$roots\"");
        assert!(line.chars().all(|c| c.is_ascii_alphanumeric() || " %|+/=-".contains(c)), "{line}");
        assert_eq!(values.0, "roots=('$(id)' '`id`; it'\\''s')\n");
    }

    #[test]
    fn only_reported_lines_are_read() {
        let report = read("Welcome!\n@ioc base YWJj\r\nnoise @ioc base eHh4\n@ioc bad ***\n@ioc empty \n");
        assert_eq!(report.text("base").as_deref(), Some("abc"));
        assert_eq!(report.text("empty").as_deref(), Some(""));
        assert_eq!(report.text("bad"), None);
    }

    #[test]
    fn what_git_says_tells_whose_fault_it_is() {
        for (said, category) in [
            ("fatal: Authentication failed for 'https://h/r'", Category::Auth),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", Category::Auth),
            ("git@h: Permission denied (publickey).", Category::Auth),
            ("fatal: couldn't find remote ref refs/pull/9/head", Category::User),
            ("fatal: repository 'https://h/r/' not found", Category::User),
            ("fatal: unable to access 'https://h/r/': Could not resolve host: h", Category::Transient),
            ("error: RPC failed; curl 92", Category::Transient),
        ] {
            assert_eq!(git(said).category, category, "{said}");
        }
        assert_eq!(failure("DIRECTORY_FORBIDDEN", "x").category, Category::Policy);
        assert_eq!(failure("WORKSPACE_BUSY", "x").category, Category::Transient);
    }
}
