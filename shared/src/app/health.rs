//! Dependency health checks. Publishes one event per tenant when a dependency fails or recovers.
//!
//! It sends no notification: subscribers poll within seconds, and during an outage one notification per tenant would
//! add load.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{agents::registry::performance::BREAKER_PAUSE, app::App, kernel::error::Result};

/// The timeout of a check.
const PATIENCE: Duration = Duration::from_secs(1);

/// Checks every dependency and publishes changes.
pub async fn check_dependencies(app: &App) -> Result<()> {
    let (redis, queue) = tokio::join!(is_answering(app.cache.ping()), is_answering(app.queue.ping()));
    let mut seen = vec![("redis".to_owned(), redis), ("queue".to_owned(), queue)];
    // An agent of the platform serves every tenant. Its circuit breaker shows whether it works.
    let sql = "select name, server_down_since is null and coalesce(breaker_opened_at <= $1, true) as works from agents
               where tenant_id is null and state <> 'deregistered' order by name";
    let breakers_closed = app.clock.now() - BREAKER_PAUSE;
    for row in app.db.query_directory(sql, &[&breakers_closed]).await? {
        let name: &str = row.try_get("name")?;
        seen.push((format!("agent:{name}"), row.try_get("works")?));
    }
    let now = app.clock.now();
    let settled = now - TimeDelta::from_std(app.settings.health_pause).unwrap_or_default();
    for (component, works) in seen {
        let sql = "select record_component_health($1, $2, $3, $4) as changed";
        let rows = app.db.query_directory(sql, &[&component, &works, &now, &settled]).await?;
        if rows.first().is_some_and(|row| row.try_get("changed").unwrap_or(false)) {
            tracing::warn!(component, healthy = works, "the health of a dependency changed");
        }
    }
    Ok(())
}

async fn is_answering(asked: impl Future<Output = Result<()>>) -> bool {
    tokio::time::timeout(PATIENCE, asked).await.is_ok_and(|answer| answer.is_ok())
}
