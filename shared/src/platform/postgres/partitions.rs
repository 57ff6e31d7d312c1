//! Partitions of the tables that grow for ever. The migrations define how they are created.

use crate::kernel::{clock::Time, error::Result};

use super::Db;

/// Creates the partitions of the current month and the three that follow, as far as they are missing. Returns how many
/// it created. Until they exist, the default partitions take the rows.
pub async fn ensure_partitions(db: &Db, now: Time) -> Result<i32> {
    let rows = db.query_directory("select ensure_partitions($1) as created", &[&now]).await?;
    Ok(rows.first().map(|row| row.try_get("created")).transpose()?.unwrap_or_default())
}
