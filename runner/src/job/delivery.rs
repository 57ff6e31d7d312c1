//! Delivers the work of a run: its patch, its commits and the attached files as artifacts, then the result.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    fs,
    time::{Instant, sleep},
};

use super::{
    attachments::{Attachment, PATCH},
    run::{RunEnd, RunOutcome, RunWork},
};
use crate::{
    control_plane::{
        CallError, CallFailure, ControlPlane,
        wire::{Artifact, Task, TaskResult},
    },
    workspace::WorkspaceError,
};

/// How long a delivery is tried: as long as the lease lasts that the last report renewed.
const PATIENCE: Duration = Duration::from_secs(110);
const PAUSE: Duration = Duration::from_secs(2);

/// The longest wait for a provider, in seconds: a week.
const LONGEST_WAIT: u64 = 7 * 24 * 3600;

/// The longest text of a result, in characters.
const LONGEST: usize = 10_000;

pub(super) async fn deliver(plane: &ControlPlane, task: &Task, outcome: RunOutcome, took: Duration) {
    let patch = upload_patch(plane, task, &outcome).await;
    let files = upload_files(plane, task, &outcome.report.attachments).await;
    let mut result = write_result(task, &outcome, took);
    match patch {
        Ok(patch) => result.artifacts = patch,
        // Work that cannot be read is never reported as work that is not there.
        Err((code, message)) => fail(&mut result, code, &message),
    }
    let without_files = result.clone();
    if let Some(Ok(RunWork { bundle, .. })) = outcome.work {
        result.artifacts.extend(bundle);
    }
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
    let mut result = TaskResult {
        task_id: task.task_id.clone(),
        lease_token: task.lease.token,
        status: "completed",
        artifacts: Vec::new(),
        output_data: None,
        error_message: None,
        error_code: None,
        error_category: None,
        retry_after_seconds: None,
        execution_time_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        tokens_used: report.tokens,
        cost_usd: report.cost_usd.clone(),
    };
    match &report.end {
        RunEnd::Completed { text } => result.output_data = Some(json!({"text": cut(text)})),
        RunEnd::Failed { code, message } => {
            fail(&mut result, code, message);
            let is_limit = result.error_category == Some("rate_limit");
            result.retry_after_seconds =
                report.retry_after.filter(|_| is_limit).map(|wait| wait.as_secs().clamp(1, LONGEST_WAIT));
        }
    }
    result
}

/// The text begins with the code, for readers that see nothing but the text.
fn fail(result: &mut TaskResult, code: &str, message: &str) {
    result.status = "failed";
    result.retry_after_seconds = None;
    result.error_message = Some(cut(&format!("{code}: {message}")));
    result.error_code = Some(code.to_owned());
    result.error_category = category_of(code);
}

/// Whose failure a code means, where it is not the agent's.
fn category_of(code: &str) -> Option<&'static str> {
    match code {
        "SETUP_FAILED"
        | "SECRET_MISSING"
        | "PROGRAM_NOT_OFFERED"
        | "PERMISSIONS_INVALID"
        | "EGRESS_POLICY_INVALID"
        | WorkspaceError::REPOSITORY_NOT_FOUND
        | WorkspaceError::REFERENCE_UNKNOWN
        | WorkspaceError::SOURCE_INVALID
        | WorkspaceError::DIRECTORY_MISSING
        | WorkspaceError::PATCH_REFUSED => Some("user"),
        "SECRETS_REFUSED" | "ISOLATION_NOT_OFFERED" | "EGRESS_NOT_PERMITTED" | WorkspaceError::SOURCE_FORBIDDEN => {
            Some("policy")
        }
        "AGENT_AUTH_REQUIRED" | "PROVIDER_AUTH" | WorkspaceError::AUTHENTICATION_REQUIRED => Some("auth"),
        "PROVIDER_QUOTA" => Some("budget"),
        "PROVIDER_RATE_LIMIT" => Some("rate_limit"),
        _ => None,
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
async fn upload_patch(
    plane: &ControlPlane,
    task: &Task,
    outcome: &RunOutcome,
) -> Result<Vec<Artifact>, (&'static str, String)> {
    let Some(work) = &outcome.work else { return Ok(Vec::new()) };
    let work = work.as_ref().map_err(|error| (error.code(), error.message().to_owned()))?;
    if work.patch.is_empty() {
        return Ok(Vec::new());
    }
    let sent = with_patience(|| plane.upload(&task.task_id, work.patch.clone())).await;
    let sha256 = sent.map_err(|error| ("WORK_NOT_DELIVERED", format!("the patch could not be uploaded: {error}")))?;
    Ok(vec![Artifact { path: PATCH.to_owned(), sha256, mime_type: "text/x-diff" }])
}

/// Repeats a call that may succeed later, for a while.
pub(super) async fn with_patience<T, F: Future<Output = Result<T, CallError>>>(
    call: impl Fn() -> F,
) -> Result<T, CallError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::run::RunReport;

    #[test]
    fn only_the_limit_of_a_provider_pauses_a_session_and_not_work_that_is_lost() {
        let task =
            json!({"task_id": "1", "session_id": "2", "context": {}, "timeout_seconds": 60, "lease": {"token": 1}});
        let task: Task = serde_json::from_value(task).unwrap();
        for (code, wait, expected) in [
            ("PROVIDER_RATE_LIMIT", Some(3600), Some(3600)),
            ("PROVIDER_RATE_LIMIT", Some(u64::MAX), Some(LONGEST_WAIT)),
            ("PROVIDER_RATE_LIMIT", None, None),
            ("AGENT_EXITED", Some(3600), None),
        ] {
            let end = RunEnd::failed(code, &"it ended");
            let report = RunReport { retry_after: wait.map(Duration::from_secs), ..RunReport::without_work(end) };
            let mut result = write_result(&task, &RunOutcome { report, work: None }, Duration::from_secs(1));
            assert_eq!(result.retry_after_seconds, expected, "{code} {wait:?}");
            fail(&mut result, "WORK_NOT_DELIVERED", "the patch could not be uploaded");
            assert_eq!(result.retry_after_seconds, None);
        }
    }

    #[test]
    fn a_failed_result_says_whose_failure_it_is_with_its_code() {
        let task =
            json!({"task_id": "1", "session_id": "2", "context": {}, "timeout_seconds": 60, "lease": {"token": 1}});
        let task: Task = serde_json::from_value(task).unwrap();
        for (code, category) in [
            ("SETUP_FAILED", Some("user")),
            ("ISOLATION_NOT_OFFERED", Some("policy")),
            ("WORKSPACE_AUTHENTICATION_REQUIRED", Some("auth")),
            ("PROVIDER_AUTH", Some("auth")),
            ("PROVIDER_RATE_LIMIT", Some("rate_limit")),
            ("AGENT_EXITED", None),
        ] {
            let report = RunReport::without_work(RunEnd::failed(code, &"it ended"));
            let result = write_result(&task, &RunOutcome { report, work: None }, Duration::from_secs(1));
            assert_eq!((result.status, result.error_code.as_deref()), ("failed", Some(code)));
            assert_eq!((result.error_category, result.output_data), (category, None));
            assert_eq!(result.error_message, Some(format!("{code}: it ended")));
        }
    }
}
