//! Whether what we stand on works: the sweep asks, and every tenant is told once when something stops or goes on working.
//!
//! Nobody is rung for it: those who watch see it within seconds, and an outage is no time to ring for every tenant.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{app::App, error::Result};

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks all of it, and tells what changed.
pub async fn look(app: &App) -> Result<()> {
    let (redis, queue) = tokio::join!(answers(app.cache.ping()), answers(app.queue.ping()));
    let mut seen = vec![("redis".to_owned(), redis), ("queue".to_owned(), queue)];
    // An agent of the platform fails for everybody. How it does is known from its runs: its breaker opens.
    let sql = "select name, breaker_opened_at is null as works from agents
               where tenant_id is null and state <> 'deregistered' order by name";
    for row in app.db.directory(sql, &[]).await? {
        let name: &str = row.try_get("name")?;
        seen.push((format!("agent:{name}"), row.try_get("works")?));
    }
    let now = app.clock.now();
    let settled = now - TimeDelta::from_std(app.settings.health_pause).unwrap_or_default();
    for (component, works) in seen {
        let sql = "select component_seen($1, $2, $3, $4) as told";
        let rows = app.db.directory(sql, &[&component, &works, &now, &settled]).await?;
        if rows.first().is_some_and(|row| row.try_get("told").unwrap_or(false)) {
            tracing::warn!(component, healthy = works, "the health of a component changed");
        }
    }
    Ok(())
}

async fn answers(asked: impl Future<Output = Result<()>>) -> bool {
    tokio::time::timeout(PATIENCE, asked).await.is_ok_and(|answer| answer.is_ok())
}
