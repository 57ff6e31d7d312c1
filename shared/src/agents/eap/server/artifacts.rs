//! The files that a task produces: uploaded one by one before the result, or within it. Their bytes are in the object
//! store under their SHA-256.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    agents::services::AgentServices,
    identity::{auth::AgentCaller, tenants},
    kernel::{
        error::{Code, Error, Result, ValidationErrors},
        id::{ExternalTaskId, SessionId, TenantId},
    },
    platform::object_store::Files,
};

use super::{
    MAX_ARTIFACT, MAX_ARTIFACT_BYTES, PATCH_PATH,
    calls::{lease_lost, record_call, unknown_task},
    result::TaskOutcome,
    result_artifacts::{ArtifactContent, check_patch},
    store::{self, AgentTask},
    uploads::{UploadOutcome, count_upload},
};

/// Stores the content of an artifact that the result of the task will name. Returns false if it was stored before.
pub async fn store_upload(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    hash: &str,
    content: Bytes,
) -> Result<bool> {
    if hex::encode(Sha256::digest(&content)) != hash {
        return Err(Error::invalid_field("sha256", "must be the SHA-256 of the body, in lower-case hexadecimal"));
    }
    record_call(services, agent, false).await?;
    let owner = store::find_owner(&services.db, agent.agent_id, task).await?.ok_or_else(|| unknown_task(task))?;
    if !owner.is_leased_by(agent) {
        return Err(lease_lost());
    }
    tenants::service::check_stored_bytes(services, owner.tenant_id).await?;
    if services.files.find_size(owner.tenant_id, owner.session_id, hash).await?.is_some() {
        return Ok(false);
    }
    // It is counted first, so that no failure makes room for more. Its repetition counts no more.
    let key = AgentTask { agent_id: agent.agent_id, runner_id: agent.runner_id(), task_id: task };
    match count_upload(&services.db, key, hash, content.len(), services.clock.now()).await? {
        UploadOutcome::Counted => {
            services.files.put_content(owner.tenant_id, owner.session_id, content).await?;
            Ok(true)
        }
        UploadOutcome::Full => Err(Error::new(
            Code::PayloadTooLarge,
            format!("The uploads of a task may have {} MiB in all.", MAX_ARTIFACT_BYTES / 1024 / 1024),
        )),
        UploadOutcome::LeaseLost => Err(lease_lost()),
        UploadOutcome::UnknownTask => Err(unknown_task(task)),
    }
}

/// Looks up the uploads that a result names: their sizes become part of the result.
pub(super) async fn resolve_uploads(
    files: &Files,
    (tenant_id, session_id): (TenantId, SessionId),
    outcome: &mut TaskOutcome,
) -> Result<()> {
    let mut refused = ValidationErrors::default();
    let mut total = 0;
    for (at, (artifact, stored)) in outcome.artifacts.iter().zip(&mut outcome.kept.artifacts).enumerate() {
        if matches!(artifact.content, ArtifactContent::Uploaded) {
            let field = format!("artifacts[{at}].sha256");
            match files.find_size(tenant_id, session_id, &stored.sha256).await? {
                Some(size) => stored.size = usize::try_from(size).unwrap_or(usize::MAX),
                None => refused.add(field.clone(), "was not uploaded for this task"),
            }
            if artifact.path == PATCH_PATH && (1..=MAX_ARTIFACT).contains(&stored.size) {
                let patch = files.get(tenant_id, session_id, &stored.sha256).await?;
                refused.check(&field, check_patch(&patch));
            }
        }
        total += stored.size as u64;
    }
    if total > MAX_ARTIFACT_BYTES {
        refused.add("artifacts", format!("must have at most {} MiB in all", MAX_ARTIFACT_BYTES / 1024 / 1024));
    }
    refused.into_result()
}

/// Stores the content that came with a result.
pub(super) async fn store_contents(
    files: &Files,
    (tenant_id, session_id): (TenantId, SessionId),
    outcome: &mut TaskOutcome,
) -> Result<()> {
    for artifact in &mut outcome.artifacts {
        if let ArtifactContent::Sent(content) = &mut artifact.content {
            files.put_content(tenant_id, session_id, std::mem::take(content)).await?;
        }
    }
    Ok(())
}
