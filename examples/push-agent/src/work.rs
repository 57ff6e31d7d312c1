//! The work itself: clones the workspace, makes the changes in the prompt, commits, and returns the patch.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::{fs, process::Command};
use tokio_util::sync::CancellationToken;

use crate::control::Control;

/// A task that the agent is working on.
pub(crate) struct RunningTask {
    task: Value,
    lease: Mutex<Value>,
    pub(crate) cancelled: CancellationToken,
}

impl RunningTask {
    pub(crate) fn new(task: Value, cancelled: CancellationToken) -> Self {
        Self { lease: Mutex::new(task["lease"]["token"].clone()), task, cancelled }
    }

    /// Continues under the lease of a later delivery.
    pub(crate) fn renew(&self, delivered: &Value) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = delivered["lease"]["token"].clone();
    }

    fn lease(&self) -> Value {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn task_path(&self, verb: &str) -> String {
        format!("/tasks/{}/{verb}", self.task["task_id"].as_str().unwrap_or_default())
    }

    async fn make_changes(&self, control: &Control, folder: &Path) -> Result<String> {
        let mut reports = Reports { running: self, control, seq: 0, received: 0, answers: HashMap::new() };
        reports.send(json!({"message": "Reading the task."})).await?;
        let context = &self.task["context"];
        let base = check_out(folder, context).await?;
        for line in context["prompt"].as_str().unwrap_or_default().lines() {
            let waits = line.strip_prefix("Wait ").and_then(|rest| rest.split(' ').next()?.parse().ok());
            let end = Instant::now() + Duration::from_secs(waits.unwrap_or(0));
            while Instant::now() < end {
                reports.send(json!({})).await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            if let Some((name, text)) = line.strip_prefix("Add the file ").and_then(|rest| rest.split_once(": ")) {
                reports.write(folder, name, text).await?;
            }
            let question = line.strip_prefix("Ask the question \"");
            if let Some((text, name)) =
                question.and_then(|rest| rest.split_once("\" and write the answer into the file "))
            {
                let answer = reports.ask(text).await?;
                reports.write(folder, name, &answer).await?;
            }
        }
        git(folder, &["add", "-A"]).await?;
        git(folder, &["commit", "-q", "--allow-empty", "-m", context["title"].as_str().unwrap_or("Work")]).await?;
        git(folder, &["diff", "--binary", base.trim(), "HEAD"]).await
    }
}

/// The reports of a running task, and what their responses contained.
struct Reports<'a> {
    running: &'a RunningTask,
    control: &'a Control,
    seq: i64,
    /// The number of the newest message of a person.
    received: i64,
    /// The answers of people by question.
    answers: HashMap<String, String>,
}

impl Reports<'_> {
    /// Sends a report, which renews the lease. Fails if the task was cancelled or is no longer ours.
    async fn send(&mut self, mut report: Value) -> Result<()> {
        self.seq += 1;
        report["lease_token"] = self.running.lease();
        (report["seq"], report["received"]) = (json!(self.seq), json!(self.received));
        let (status, response) = self.control.post(&self.running.task_path("progress"), &report).await;
        ensure!(
            status == 200 && response["cancel"] == false && !self.running.cancelled.is_cancelled(),
            "The task was cancelled."
        );
        for message in response["messages"].as_array().into_iter().flatten() {
            self.received = self.received.max(message["number"].as_i64().unwrap_or_default());
            let answer = &message["answer"];
            if let (Some(question), Some(text)) = (answer["question_id"].as_str(), answer["text"].as_str()) {
                self.answers.insert(question.to_owned(), text.to_owned());
            }
        }
        Ok(())
    }

    /// Asks a question, and keeps the lease until a person answers it.
    async fn ask(&mut self, text: &str) -> Result<String> {
        let id = format!("question-{}", self.seq);
        self.send(json!({"question": {"question_id": id, "kind": "input", "text": text}})).await?;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.send(json!({})).await?;
        }
    }

    async fn write(&mut self, folder: &Path, name: &str, text: &str) -> Result<()> {
        ensure!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name} is outside");
        fs::create_dir_all(folder.join(name).parent().unwrap_or(folder)).await?;
        fs::write(folder.join(name), format!("{text}\n")).await?;
        self.send(json!({"message": format!("Wrote {name}.")})).await
    }
}

/// Clones the workspace, applies the patch of an earlier run, and returns the base commit.
async fn check_out(folder: &Path, context: &Value) -> Result<String> {
    let workspace = &context["workspace"];
    match workspace["repository"].as_str().or(workspace["directory"].as_str()) {
        Some(source) => git(folder, &["clone", "-q", source, "."]).await?,
        None => git(folder, &["init", "-q"]).await?,
    };
    if let Some(reference) = workspace["ref"].as_str() {
        git(folder, &["checkout", "-q", reference]).await?;
    }
    if workspace.is_null() {
        git(folder, &["commit", "-q", "--allow-empty", "-m", "Begin"]).await?;
    }
    let base = git(folder, &["rev-parse", "HEAD"]).await?;
    if let Some(patch) = context["continuation"]["patch"].as_str().filter(|patch| !patch.is_empty()) {
        let path = folder.with_extension("patch");
        fs::write(&path, patch).await?;
        git(folder, &["apply", &path.display().to_string()]).await?;
        fs::remove_file(path).await?;
    }
    Ok(base)
}

/// Works on a task, and sends its result until it is accepted.
pub(crate) async fn run(control: &Control, running: &RunningTask) {
    let (began, id) = (Instant::now(), running.task["task_id"].as_str().unwrap_or_default());
    let folder = std::env::temp_dir().join(format!("push-agent-{id}"));
    let worked = async {
        fs::create_dir_all(&folder).await?;
        running.make_changes(control, &folder).await
    };
    let mut result = match worked.await {
        Ok(patch) => json!({"status": "completed", "output_data": {"text": "Done."},
            "artifacts": [{"path": "changes.patch", "content": patch, "mime_type": "text/x-diff"}]}),
        Err(error) => json!({"status": "failed", "error_message": error.to_string()}),
    };
    _ = fs::remove_dir_all(&folder).await;
    for (field, value) in
        [("task_id", json!(id)), ("lease_token", running.lease()), ("tokens_used", json!(0)), ("cost_usd", json!(0))]
    {
        result[field] = value;
    }
    result["execution_time_ms"] = json!(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    control.post(&running.task_path("result"), &result).await;
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let identity = ["-c", "user.name=example", "-c", "user.email=example@localhost"];
    let done = Command::new("git").args(identity).args(arguments).current_dir(folder).output().await?;
    if !done.status.success() {
        bail!("git {}: {}", arguments[0], String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8(done.stdout)?)
}
