//! Delivers the work of a run: its patch and the attached files as artifacts, then the result.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    fs,
    time::{Instant, sleep},
};

use super::{
    attachments::Attachment,
    run::{RunEnd, RunOutcome},
};
use crate::control_plane::{
    CallError, CallFailure, ControlPlane,
    wire::{Artifact, Task, TaskResult},
};

/// How long a delivery is tried: as long as the lease lasts that the last report renewed.
const PATIENCE: Duration = Duration::from_secs(110);
const PAUSE: Duration = Duration::from_secs(2);

/// The longest text of a result, in characters.
const LONGEST: usize = 10_000;

pub(super) async fn deliver(plane: &ControlPlane, task: &Task, outcome: RunOutcome, took: Duration) {
    let patch = collect_patch(plane, task, &outcome).await;
    let files = upload_files(plane, task, &outcome.report.attachments).await;
    let mut result = write_result(task, &outcome, took);
    match patch {
        Ok(patch) => result.artifacts = patch,
        Err(message) => {
            // Work that cannot be read is never reported as work that is not there.
            result.status = "failed";
            result.error_message = Some(cut(&message));
        }
    }
    let without_files = result.clone();
    add_files(&mut result, files);
    let mut sent = with_patience(|| plane.send_result(&result)).await;
    if let Err(error) = &sent
        && error.failure == CallFailure::Refused
        && result.artifacts.len() > without_files.artifacts.len()
    {
        // The rules for files of results are the control plane's. The work must not be lost with a file.
        tracing::warn!(%error, task.id = task.task_id, "the result is delivered without its attached files");
        sent = with_patience(|| plane.send_result(&without_files)).await;
    }
    if let Err(error) = sent {
        tracing::error!(%error, task.id = task.task_id, "the result was not delivered");
    }
}

fn write_result(task: &Task, outcome: &RunOutcome, took: Duration) -> TaskResult {
    let report = &outcome.report;
    let (status, output_data, error_message) = match &report.end {
        RunEnd::Completed { text } => ("completed", Some(json!({"text": cut(text)})), None),
        RunEnd::Failed { code, message } => ("failed", None, Some(cut(&format!("{code}: {message}")))),
    };
    TaskResult {
        task_id: task.task_id.clone(),
        lease_token: task.lease.token,
        status,
        artifacts: Vec::new(),
        output_data,
        error_message,
        execution_time_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        tokens_used: report.tokens,
        cost_usd: report.cost_usd.clone(),
    }
}

/// The artifact of a file, or why there is none, and what people see of it.
struct DeliveredFile {
    artifact: Option<Artifact>,
    description: Value,
}

/// Uploads the files that the agent attached. One that cannot be uploaded is left out, which the result says.
async fn upload_files(plane: &ControlPlane, task: &Task, files: &[Attachment]) -> Vec<DeliveredFile> {
    let mut delivered = Vec::new();
    for file in files {
        let mut description = json!({"path": file.path, "title": file.title, "proof": file.proof});
        let artifact = match upload_file(plane, task, file).await {
            Ok(artifact) => Some(artifact),
            Err(reason) => {
                tracing::warn!(reason, task.id = task.task_id, "an attached file was not delivered");
                description["error"] = cut(&reason).into();
                None
            }
        };
        delivered.push(DeliveredFile { artifact, description });
    }
    delivered
}

async fn upload_file(plane: &ControlPlane, task: &Task, file: &Attachment) -> Result<Artifact, String> {
    let content = fs::read(&file.copy).await.map_err(|error| error.to_string())?;
    let sent = with_patience(|| plane.upload(&task.task_id, content.clone())).await;
    let sha256 = sent.map_err(|error| error.to_string())?;
    Ok(Artifact { path: file.path.clone(), sha256, mime_type: file.mime_type })
}

fn add_files(result: &mut TaskResult, files: Vec<DeliveredFile>) {
    let (artifacts, descriptions): (Vec<_>, Vec<_>) =
        files.into_iter().map(|file| (file.artifact, file.description)).unzip();
    result.artifacts.extend(artifacts.into_iter().flatten());
    if let Some(output) = result.output_data.as_mut().filter(|_| !descriptions.is_empty()) {
        output["attachments"] = descriptions.into();
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
