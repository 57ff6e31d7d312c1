//! What the work came to, and giving the workspace back.

use std::{collections::HashSet, fmt::Write as _};

use serde_json::json;

use super::{OpenCode, client, diff, shell::Values, state::State, transcript};
use crate::{
    agents::contract::{Assignment, FileChange, RunOutput, RunState},
    kernel::failure::Failure,
};

const COLLECT: &str = include_str!("scripts/collect.sh");
const RELEASE: &str = include_str!("scripts/release.sh");
/// The most that a summary repeats of the agent's last words, and of the changed files.
const WORDS: usize = 2000;
const NAMES: usize = 50;

impl OpenCode {
    pub(super) async fn gather(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        let state = State::required(state)?;
        let limit = self.settings.patch_limit.to_string();
        let report = self.run(&self.known(assignment, &state).with("limit", &limit), COLLECT).await?;
        let size: usize = report.required("size")?.parse().unwrap_or(0);
        let mut patch = String::from_utf8_lossy(report.bytes("patch")).into_owned();
        let mut note = String::new();
        if size > report.bytes("patch").len() {
            // A section that was cut would not apply, so the patch ends before it.
            let whole = patch.len() - diff::sections(&patch).last().map_or(patch.len(), |section| section.len());
            patch.truncate(whole);
            note = format!("The patch has {size} bytes; only the files of its first {whole} bytes are stored.\n");
        }
        let mut files = diff::files(&patch);
        let known: HashSet<_> = files.iter().map(|file| file.path.clone()).collect();
        let listed = diff::names(&report.text("names").unwrap_or_default());
        files.extend(listed.into_iter().filter(|file| !known.contains(&file.path)));
        let said = client::optional(self.history(&state, 1, |_| true).await)?.unwrap_or_default();
        let said = transcript::last_text(&said).unwrap_or_default();
        Ok(RunOutput { summary: note + &summary(&said, &files), files, patch, artifacts: Vec::new() })
    }

    /// The branch keeps the work; the files, the agent's sessions and what its server holds for them in memory go.
    pub(super) async fn give_back(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let state = State::read(state).unwrap_or_default();
        self.run(&self.known(assignment, &state), RELEASE).await?;
        if !state.session.is_empty() {
            for session in self.client.sessions(&state.directory).await? {
                // Also one that a call opened which was cut before it could claim it.
                let ours = session.metadata.get("ioc_session") == Some(&json!(assignment.session_id));
                if ours && session.id != state.session {
                    client::optional(self.client.delete(&state.directory, &session.id).await)?;
                }
            }
            client::optional(self.client.delete(&state.directory, &state.session).await)?;
            client::optional(self.client.dispose(&state.directory).await)?;
        }
        self.sweep().await
    }

    fn known(&self, assignment: &Assignment, state: &State) -> Values {
        self.values(assignment).with("known_repository", &state.repository).with("known_base", &state.base)
    }
}

fn summary(said: &str, files: &[FileChange]) -> String {
    let mut text = transcript::short(said, WORDS);
    if !files.is_empty() {
        let _ = write!(text, "{}Changed files:", if text.is_empty() { "" } else { "\n\n" });
        for file in files.iter().take(NAMES) {
            let _ = write!(text, "\n- {} ({:?}, +{} -{})", file.path, file.status, file.additions, file.deletions);
        }
        if files.len() > NAMES {
            let _ = write!(text, "\n- and {} more", files.len() - NAMES);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_last_words_and_the_files() {
        let patch = "diff --git a/a.txt b/a.txt\nnew file mode 100644\n--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n";
        assert_eq!(summary("Done.", &diff::files(patch)), "Done.\n\nChanged files:\n- a.txt (Added, +1 -0)");
        assert_eq!(summary("", &[]), "");
    }
}
