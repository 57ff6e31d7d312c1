//! Checks of the work itself: that a task is done, in its workspace, once, and as a patch.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use shared::kernel::id::SessionId;
use tokio::time::sleep;

use super::{
    super::{
        DEFAULT_PROMPT, DEFAULT_PROMPT_FILE,
        checks::comes,
        workspace::{Workspace, patch_of},
    },
    Trial,
};

/// The text of the file that the default prompt asks for.
const REQUESTED_TEXT: &str = "It keeps the protocol.";

impl Trial<'_> {
    /// One task from beginning to end, with a report and a result whose responses are lost.
    pub(super) async fn works(&mut self) -> Result<()> {
        let prompt = self.asked.prompt.clone();
        let id = self.offer(&prompt, |task| (task.fail_reports, task.fail_results) = (1, 1)).await?;
        if self.endpoint().is_some() {
            self.deliver("it accepts a repeated push", id).await?;
        } else {
            let claimed = self.of(id, |task| task.claimed);
            let claimed = comes(self.patience, || claimed() == Some(true)).await;
            self.checks.holds("it claims a task", claimed, || "it did not".to_owned());
        }
        let results = self.of(id, |task| task.results.len());
        let done = comes(self.patience, || results() > Some(1)).await;
        let why = || match results() {
            Some(1) => "its result was answered with 500 and it did not send it again".to_owned(),
            _ => "there is no result; a report was answered with 500 once".to_owned(),
        };
        self.checks.holds("it finishes despite responses of 500", done, why);
        let sent = self.of(id, |task| task.results.clone())().unwrap_or_default();
        let same = sent.windows(2).all(|pair| pair[0] == pair[1]);
        self.checks.holds("it repeats its result unchanged", done && same, || {
            "the second differs, or there is none".to_owned()
        });
        let worked = match sent.first() {
            Some(result) => self.work_in(&self.workspace, result).await,
            None => Err("there is no result".to_owned()),
        };
        self.checks.note("it returns the work that was asked for as a patch", worked);
        let numbers: Vec<_> =
            self.of(id, |task| task.reports.iter().map(|(seq, _)| *seq).collect())().unwrap_or_default();
        let ordered = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
        self.checks.holds("its reports arrive in the order of their numbers", ordered, || format!("{numbers:?}"));
        sleep(Duration::from_millis(500)).await;
        self.checks
            .holds("it works on a task only once", results() == Some(2), || format!("{:?} results arrived", results()));
        Ok(())
    }

    /// The same task in a second repository, where the requested file exists with other content: only a patch that was
    /// made from that repository applies to it.
    pub(super) async fn works_in_the_named_workspace(&mut self) -> Result<()> {
        let folder = self.workspace.sibling("second");
        let mark = format!("{}\n", SessionId::new());
        let second = Workspace::create(folder, DEFAULT_PROMPT_FILE, &mark).await?;
        let before = self.workspace.state().await?;
        let prompt = self.asked.prompt.clone();
        let directory = json!(second.directory());
        let id = self.offer(&prompt, |task| task.described["context"]["workspace"]["directory"] = directory).await?;
        let worked = match self.first_result(id).await {
            Some(result) => self.work_in(&second, &result).await,
            None => Err("there is no result".to_owned()),
        };
        self.checks.note("it works in the workspace that the task names", worked);
        let after = self.workspace.state().await?;
        self.checks.holds("it changes no other repository", before == after, || format!("{before:?} became {after:?}"));
        Ok(())
    }

    /// A task that continues an earlier one, whose patch is part of the result.
    pub(super) async fn continues_earlier_work(&mut self) -> Result<()> {
        let patch = "diff --git a/EARLIER.md b/EARLIER.md\nnew file mode 100644\n--- /dev/null\n+++ b/EARLIER.md\n\
                     @@ -0,0 +1 @@\n+Done before.\n";
        let continuation = json!({"from": "checkpoint", "patch": patch, "summary": "EARLIER.md is written."});
        let prompt = self.asked.prompt.clone();
        let id = self.offer(&prompt, |task| task.described["context"]["continuation"] = continuation).await?;
        let continued = match self.first_result(id).await {
            Some(result) => match self.work_in(&self.workspace, &result).await {
                Ok(()) => self.contains(&self.workspace, &result, "EARLIER.md", "Done before.").await,
                Err(why) => Err(why),
            },
            None => Err("there is no result".to_owned()),
        };
        self.checks.note("it continues from the patch of an earlier run", continued);
        Ok(())
    }

    /// Whether a result has the work of the first prompt, as a patch that applies to the repository.
    async fn work_in(&self, workspace: &Workspace, result: &Value) -> Result<(), String> {
        if result["status"] != "completed" {
            return Err(format!("it answers {}: {}", result["status"], result["error_message"]));
        }
        if self.asked.prompt == DEFAULT_PROMPT {
            return self.contains(workspace, result, DEFAULT_PROMPT_FILE, REQUESTED_TEXT).await;
        }
        let patch = patch_of(result).map_err(|error| error.to_string())?;
        workspace.check_patch(&patch).await.map_err(|error| error.to_string())
    }

    /// Whether the patch of a result applies, and leaves a file that contains this text.
    pub(super) async fn contains(
        &self,
        workspace: &Workspace,
        result: &Value,
        file: &str,
        text: &str,
    ) -> Result<(), String> {
        let patch = patch_of(result).map_err(|error| error.to_string())?;
        let content = workspace.apply(&patch, file).await.map_err(|error| error.to_string())?;
        if content.contains(text) { Ok(()) } else { Err(format!("{file} does not contain {text:?}")) }
    }
}
