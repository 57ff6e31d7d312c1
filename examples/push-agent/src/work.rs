//! The work itself: a clone, the changes that the prompt names, a commit, and its patch.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::{fs, process::Command};
use tokio_util::sync::CancellationToken;

use crate::control::Control;

/// A task that this agent works on.
pub(crate) struct Running {
    task: Value,
    lease: Mutex<Value>,
    pub(crate) cancelled: CancellationToken,
}

impl Running {
    pub(crate) fn new(task: Value, cancelled: CancellationToken) -> Self {
        Self { lease: Mutex::new(task["lease"]["token"].clone()), task, cancelled }
    }

    /// Goes on under the lease of a later delivery.
    pub(crate) fn renew(&self, delivered: &Value) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = delivered["lease"]["token"].clone();
    }

    fn lease(&self) -> Value {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn place(&self, verb: &str) -> String {
        format!("/tasks/{}/{verb}", self.task["task_id"].as_str().unwrap_or_default())
    }

    /// Renews the lease, and hears whether the task was called off or is not ours any more.
    async fn report(&self, control: &Control, seq: &mut i64, message: Option<String>) -> Result<()> {
        *seq += 1;
        let body = json!({"lease_token": self.lease(), "seq": *seq, "message": message});
        let (status, answer) = control.call(&self.place("progress"), &body).await;
        ensure!(
            status == 200 && answer["cancel"] == false && !self.cancelled.is_cancelled(),
            "the task was called off"
        );
        Ok(())
    }

    async fn work(&self, control: &Control, folder: &Path) -> Result<String> {
        let mut seq = 0;
        self.report(control, &mut seq, Some("Looking at the task.".to_owned())).await?;
        let context = &self.task["context"];
        let workspace = &context["workspace"];
        match workspace["repository"].as_str().or(workspace["directory"].as_str()) {
            Some(source) => git(folder, &["clone", "-q", source, "."]).await?,
            None => git(folder, &["init", "-q"]).await?,
        };
        if workspace.is_null() {
            git(folder, &["commit", "-q", "--allow-empty", "-m", "Begin"]).await?;
        }
        let base = git(folder, &["rev-parse", "HEAD"]).await?;
        for line in context["prompt"].as_str().unwrap_or_default().lines() {
            let waits = line.strip_prefix("Wait ").and_then(|rest| rest.split(' ').next()?.parse().ok());
            let end = Instant::now() + Duration::from_secs(waits.unwrap_or(0));
            while Instant::now() < end {
                self.report(control, &mut seq, None).await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            if let Some((name, text)) = line.strip_prefix("Add the file ").and_then(|rest| rest.split_once(": ")) {
                ensure!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name} is outside");
                fs::create_dir_all(folder.join(name).parent().unwrap_or(folder)).await?;
                fs::write(folder.join(name), format!("{text}\n")).await?;
                self.report(control, &mut seq, Some(format!("Wrote {name}."))).await?;
            }
        }
        git(folder, &["add", "-A"]).await?;
        git(folder, &["commit", "-q", "--allow-empty", "-m", context["title"].as_str().unwrap_or("Work")]).await?;
        git(folder, &["diff", "--binary", base.trim(), "HEAD"]).await
    }
}

/// Works on a task, and reports its result until it is taken.
pub(crate) async fn run(control: &Control, running: &Running) {
    let (began, id) = (Instant::now(), running.task["task_id"].as_str().unwrap_or_default());
    let folder = std::env::temp_dir().join(format!("push-agent-{id}"));
    let worked = async {
        fs::create_dir_all(&folder).await?;
        running.work(control, &folder).await
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
    control.call(&running.place("result"), &result).await;
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let identity = ["-c", "user.name=example", "-c", "user.email=example@localhost"];
    let done = Command::new("git").args(identity).args(arguments).current_dir(folder).output().await?;
    if !done.status.success() {
        bail!("git {}: {}", arguments[0], String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8(done.stdout)?)
}
