//! SQL of lineage: from a session to the versions that were trained on it, by way of datasets.

use crate::{
    kernel::{
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::postgres::Db,
};

use super::{super::ModelVersion, COLUMNS, FROM, read};

/// A version that was trained on a session.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedOn {
    pub version: ModelVersion,
    /// The side of the dataset split: training or `held_out`.
    pub split: String,
}

/// The versions that were trained on a session, newest first. `None` when there is no such session, now or in any
/// dataset: deleted sessions remain in the lineage.
pub async fn trained_on(db: &Db, tenant_id: TenantId, session: SessionId) -> Result<Option<Vec<TrainedOn>>> {
    let known = "select 1 where exists (select 1 from sessions s where s.tenant_id = $1 and s.id = $2)
                    or exists (select 1 from dataset_sessions d where d.tenant_id = $1 and d.session_id = $2)";
    let sql = format!(
        "select {COLUMNS}, d.split from {FROM}
         join dataset_sessions d on d.tenant_id = v.tenant_id and d.dataset_id = v.dataset_id
         where d.tenant_id = $1 and d.session_id = $2
         order by v.id desc"
    );
    let tx = db.tenant(tenant_id).await?;
    let answers = tx.finish_all(&[(known, &[&tenant_id, &session]), (&sql, &[&tenant_id, &session])]).await?;
    if answers[0].is_empty() {
        return Ok(None);
    }
    let found = answers[1].iter().map(|row| Ok(TrainedOn { version: read(row)?, split: row.try_get("split")? }));
    found.collect::<Result<_>>().map(Some)
}
