//! SQL of what agents upload for their tasks.

use tokio_postgres::types::ToSql;

use crate::{
    kernel::{
        clock::Time,
        error::{Error, Result},
    },
    platform::postgres::Db,
};

use super::{MAX_ARTIFACT_BYTES, MAX_UPLOADS, store::AgentTask};

/// The outcome of counting the bytes of an upload.
pub(super) enum UploadOutcome {
    Counted,
    /// The task may have no more bytes.
    Full,
    LeaseLost,
    UnknownTask,
}

/// Counts the bytes of an upload for a task, each content once, within [`MAX_ARTIFACT_BYTES`] and [`MAX_UPLOADS`].
pub(super) async fn count_upload(
    db: &Db,
    key: AgentTask,
    hash: &str,
    bytes: usize,
    now: Time,
) -> Result<UploadOutcome> {
    let (bytes, most) =
        (i64::try_from(bytes).unwrap_or(i64::MAX), i64::try_from(MAX_ARTIFACT_BYTES).unwrap_or(i64::MAX));
    let sql = "select count_task_upload($1, $2, $3, $4, $5, $6, $7) as outcome";
    let params: [&(dyn ToSql + Sync); 7] = [&key.agent_id, &key.task_id, &hash, &bytes, &most, &MAX_UPLOADS, &now];
    let rows = db.query_directory(sql, &params).await?;
    let row = rows.first().ok_or_else(|| Error::internal("the directory did not answer"))?;
    Ok(match row.try_get("outcome")? {
        "taken" => UploadOutcome::Counted,
        "full" => UploadOutcome::Full,
        "lost" => UploadOutcome::LeaseLost,
        _ => UploadOutcome::UnknownTask,
    })
}
