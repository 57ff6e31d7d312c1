//! Reading sessions and what belongs to them.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    agents::contract::FileChange,
    identity::auth::Caller,
    kernel::{
        error::{Error, Result},
        id::{ArtifactId, SessionId},
        usage::format_usd,
    },
    platform::object_store,
    sessions::{
        SessionKey,
        services::SessionServices,
        store::{
            self, Artifact, Checkpoint, FoundSession, SessionFilter, SessionLogPage, SessionPage, Stats, TreeNode,
        },
    },
};

use super::waits::explain_waits;

pub async fn get(sessions: &SessionServices, caller: &Caller, id: SessionId) -> Result<FoundSession> {
    let key = SessionKey::new(caller.tenant_id, id);
    let mut found = store::find_session(&sessions.db, key, sessions.clock.now()).await?;
    explain_waits(sessions, caller.tenant_id, std::slice::from_mut(&mut found)).await?;
    Ok(found)
}

pub async fn list(
    sessions: &SessionServices,
    caller: &Caller,
    filter: &SessionFilter,
    page: SessionPage,
) -> Result<Vec<FoundSession>> {
    let mut found = store::list(&sessions.db, caller.tenant_id, filter, page, sessions.clock.now()).await?;
    explain_waits(sessions, caller.tenant_id, &mut found).await?;
    Ok(found)
}

pub async fn get_stats(sessions: &SessionServices, caller: &Caller) -> Result<Stats> {
    store::count_stats(&sessions.db, caller.tenant_id, sessions.clock.now()).await
}

pub async fn list_checkpoints(sessions: &SessionServices, caller: &Caller, id: SessionId) -> Result<Vec<Checkpoint>> {
    get(sessions, caller, id).await?;
    store::list_checkpoints(&sessions.db, caller.tenant_id, id).await
}

pub async fn list_events(
    sessions: &SessionServices,
    caller: &Caller,
    id: SessionId,
    after: i64,
    limit: i64,
) -> Result<SessionLogPage> {
    let found = store::list_events(&sessions.db, caller.tenant_id, id, after, limit).await?;
    found.ok_or_else(|| Error::session_not_found(id))
}

/// The files that a session changed, by path, after `after`.
pub async fn get_diff(
    sessions: &SessionServices,
    caller: &Caller,
    id: SessionId,
    after: Option<&str>,
) -> Result<Vec<FileChange>> {
    get(sessions, caller, id).await?;
    store::list_files(&sessions.db, caller.tenant_id, id, after).await
}

pub async fn list_artifacts(sessions: &SessionServices, caller: &Caller, id: SessionId) -> Result<Vec<Artifact>> {
    get(sessions, caller, id).await?;
    store::list_artifacts(&sessions.db, caller.tenant_id, id).await
}

/// The description of an artifact.
pub async fn get_artifact(
    sessions: &SessionServices,
    caller: &Caller,
    id: SessionId,
    artifact: ArtifactId,
) -> Result<Artifact> {
    get(sessions, caller, id).await?;
    store::find_artifact(&sessions.db, caller.tenant_id, id, artifact).await
}

/// The bytes of an artifact.
pub async fn artifact_content(
    sessions: &SessionServices,
    caller: &Caller,
    id: SessionId,
    artifact: &Artifact,
) -> Result<Bytes> {
    sessions.files.get(caller.tenant_id, id, &artifact.sha256).await
}

/// A URL under which the bytes of an artifact can be fetched for a while without a credential. `None`: the object store
/// offers none.
pub async fn artifact_url(
    sessions: &SessionServices,
    caller: &Caller,
    id: SessionId,
    artifact: &Artifact,
    valid: Duration,
) -> Result<Option<String>> {
    sessions.files.signed_url(&object_store::content_key(caller.tenant_id, id, &artifact.sha256), valid).await
}

/// A session with its descendants, and the cost of each branch.
pub async fn get_tree(sessions: &SessionServices, caller: &Caller, id: SessionId) -> Result<TreeNode> {
    let mut nodes = store::read_tree(&sessions.db, caller.tenant_id, id).await?;
    // The deepest nodes come last: each is added to its parent, from the end.
    let mut total: Vec<i64> = nodes.iter().map(|node| node.cost_micros).collect();
    while nodes.len() > 1 {
        let at = nodes.len() - 1;
        let Some(mut node) = nodes.pop() else { break };
        node.total_cost_usd = format_usd(total[at]);
        node.children.reverse();
        if let Some(parent) = nodes.iter().position(|one| Some(one.id) == node.parent_id) {
            total[parent] += total[at];
            nodes[parent].children.push(node);
        }
    }
    let mut root = nodes.pop().ok_or_else(|| Error::session_not_found(id))?;
    root.total_cost_usd = format_usd(total[0]);
    root.children.reverse();
    Ok(root)
}
