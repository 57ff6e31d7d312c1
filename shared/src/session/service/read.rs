//! Reading sessions and what belongs to them.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    app::App,
    auth::Caller,
    error::Result,
    event::Event,
    files,
    id::{ArtifactId, SessionId},
    runtime::FileChange,
    session::{
        store::{self, Artifact, Checkpoint, Filter, Found, Page, Stats, TreeNode},
        usage::usd,
    },
};

pub async fn get(app: &App, caller: &Caller, id: SessionId) -> Result<Found> {
    super::shown(app, caller, id).await
}

pub async fn list(app: &App, caller: &Caller, filter: &Filter, page: Page) -> Result<Vec<Found>> {
    store::list(&app.db, caller.tenant_id, filter, page, app.clock.now()).await
}

pub async fn stats(app: &App, caller: &Caller) -> Result<Stats> {
    store::stats(&app.db, caller.tenant_id, app.clock.now()).await
}

pub async fn checkpoints(app: &App, caller: &Caller, id: SessionId) -> Result<Vec<Checkpoint>> {
    get(app, caller, id).await?;
    store::checkpoints(&app.db, caller.tenant_id, id).await
}

/// A stretch of a session's log, and where the log ends.
pub struct Log {
    pub events: Vec<Event>,
    pub last_seq: i64,
}

pub async fn events(app: &App, caller: &Caller, id: SessionId, after: i64, limit: i64) -> Result<Log> {
    let found = store::events(&app.db, caller.tenant_id, id, after, limit).await?;
    let (events, last_seq) = found.ok_or_else(|| store::not_found(id))?;
    Ok(Log { events, last_seq })
}

pub async fn diff(app: &App, caller: &Caller, id: SessionId) -> Result<Vec<FileChange>> {
    get(app, caller, id).await?;
    store::files(&app.db, caller.tenant_id, id).await
}

pub async fn artifacts(app: &App, caller: &Caller, id: SessionId) -> Result<Vec<Artifact>> {
    get(app, caller, id).await?;
    store::artifacts(&app.db, caller.tenant_id, id).await
}

/// What is known of an artifact.
pub async fn artifact(app: &App, caller: &Caller, id: SessionId, artifact: ArtifactId) -> Result<Artifact> {
    get(app, caller, id).await?;
    store::artifact(&app.db, caller.tenant_id, id, artifact).await
}

/// Its bytes.
pub async fn artifact_content(app: &App, caller: &Caller, id: SessionId, artifact: &Artifact) -> Result<Bytes> {
    app.files.get(caller.tenant_id, id, &artifact.sha256).await
}

/// Where its bytes can be fetched for a while, without a credential, if the file store can say so.
pub async fn artifact_place(
    app: &App,
    caller: &Caller,
    id: SessionId,
    artifact: &Artifact,
    valid: Duration,
) -> Result<Option<String>> {
    app.files.signed_url(&files::key(caller.tenant_id, id, &artifact.sha256), valid).await
}

/// A session with all below it, and what each branch cost.
pub async fn tree(app: &App, caller: &Caller, id: SessionId) -> Result<TreeNode> {
    let mut nodes = store::tree(&app.db, caller.tenant_id, id).await?;
    // Deepest last: each is hung below its parent, from the end.
    let mut total: Vec<i64> = nodes.iter().map(|node| node.cost_micros).collect();
    while nodes.len() > 1 {
        let at = nodes.len() - 1;
        let Some(mut node) = nodes.pop() else { break };
        node.total_cost_usd = usd(total[at]);
        node.children.reverse();
        if let Some(parent) = nodes.iter().position(|one| Some(one.id) == node.parent_id) {
            total[parent] += total[at];
            nodes[parent].children.push(node);
        }
    }
    let mut root = nodes.pop().ok_or_else(|| store::not_found(id))?;
    root.total_cost_usd = usd(total[0]);
    root.children.reverse();
    Ok(root)
}
