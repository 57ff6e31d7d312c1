//! Delivers the work of a run: its patch as an artifact, then the result.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{RunEnd, RunOutcome};
use crate::control_plane::{
    CallError, ControlPlane,
    wire::{Artifact, Task, TaskResult},
};

/// How long a delivery is tried: as long as the lease lasts that the last report renewed.
const PATIENCE: Duration = Duration::from_secs(110);
const PAUSE: Duration = Duration::from_secs(2);

/// The longest text of a result, in characters.
const LONGEST: usize = 10_000;

pub(super) async fn deliver(plane: &ControlPlane, task: &Task, outcome: RunOutcome, took: Duration) {
    let mut result = TaskResult {
        task_id: task.task_id.clone(),
        lease_token: task.lease.token,
        status: "completed",
        artifacts: Vec::new(),
        output_data: None,
        error_message: None,
        execution_time_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        tokens_used: outcome.tokens,
        cost_usd: outcome.cost_usd.clone(),
    };
    match &outcome.end {
        RunEnd::Completed { text } => result.output_data = Some(json!({"text": cut(text)})),
        RunEnd::Failed { code, message } => {
            result.status = "failed";
            result.error_message = Some(cut(&format!("{code}: {message}")));
        }
    }
    match collect_patch(plane, task, &outcome).await {
        Ok(artifacts) => result.artifacts = artifacts,
        Err(message) => {
            // Work that cannot be read is never reported as work that is not there.
            result.status = "failed";
            result.error_message = Some(cut(&message));
        }
    }
    let sent = with_patience(|| plane.send_result(&result)).await;
    if let Err(error) = sent {
        tracing::error!(%error, task.id = task.task_id, "the result was not delivered");
    }
}

/// Uploads the patch. The changes of a failed run are delivered as well: the next run continues from them.
async fn collect_patch(plane: &ControlPlane, task: &Task, outcome: &RunOutcome) -> Result<Vec<Artifact>, String> {
    let Some(workspace) = &outcome.workspace else { return Ok(Vec::new()) };
    let work = workspace.collect().await.map_err(|error| error.to_string())?;
    if work.patch.is_empty() {
        return Ok(Vec::new());
    }
    let sent = with_patience(|| plane.upload(&task.task_id, work.patch.clone())).await;
    let sha256 = sent.map_err(|error| format!("WORK_NOT_DELIVERED: the patch could not be uploaded: {error}"))?;
    Ok(vec![Artifact { path: "changes.patch".to_owned(), sha256, mime_type: "text/x-diff" }])
}

async fn with_patience<T, F: Future<Output = Result<T, CallError>>>(call: impl Fn() -> F) -> Result<T, CallError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(error) if error.failure.is_transient() && Instant::now() < end => {
                tracing::warn!(%error, "a delivery is tried again");
                sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
