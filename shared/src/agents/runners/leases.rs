//! The leases of a runner that is gone: they are revoked, and its tasks offered to the other runners of the pool.

use std::time::Duration;

use tokio_postgres::Row;

use crate::{
    agents::{eap::server::store::make_sessions_due, services::AgentServices},
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::{AgentId, RunnerId, SessionId, TenantId},
    },
    platform::{
        notification::RunnerSignal,
        postgres::{Db, Tx},
        queue::job::Job,
    },
};

const REVOKE: &str = "select tenant_id, session_id, agent_id from revoke_runner_leases($1, $2)";

/// The tasks whose leases were revoked, as the tenant, the session and the agent of each.
#[derive(Debug, Default)]
pub(super) struct RevokedLeases(Vec<(TenantId, SessionId, AgentId)>);

/// Revokes the leases of a runner in a transaction.
pub(super) async fn revoke_in(tx: &mut Tx, runner: RunnerId, now: Time) -> Result<RevokedLeases> {
    read(&tx.query(REVOKE, &[&runner, &now]).await?)
}

/// Revokes the leases of a runner.
pub(super) async fn revoke(db: &Db, runner: RunnerId, now: Time) -> Result<RevokedLeases> {
    read(&db.query_directory(REVOKE, &[&runner, &now]).await?)
}

fn read(rows: &[Row]) -> Result<RevokedLeases> {
    let one = |row: &Row| Ok((row.try_get("tenant_id")?, row.try_get("session_id")?, row.try_get("agent_id")?));
    rows.iter().map(one).collect::<Result<_, Error>>().map(RevokedLeases)
}

impl RevokedLeases {
    /// Has the sessions observed, and wakes the claims of the other runners. To be called after the commit. A failure
    /// only delays: each session is observed again in any case.
    pub(super) async fn reassign(mut self, services: &AgentServices) {
        self.0.sort_unstable();
        for of_tenant in self.0.chunk_by(|one, other| one.0 == other.0) {
            let sessions: Vec<_> = of_tenant.iter().map(|(_, session, _)| *session).collect();
            let due = make_sessions_due(&services.db, of_tenant[0].0, &sessions, services.clock.now()).await;
            if let Err(error) = due {
                tracing::warn!(?error, "the sessions of a runner that is gone are observed later");
            }
        }
        let jobs: Vec<_> =
            self.0.iter().map(|(tenant, session, _)| (Job::observe(*tenant, *session), Duration::ZERO)).collect();
        services.enqueue(&jobs).await;
        let mut agents: Vec<_> = self.0.iter().map(|(_, _, agent)| *agent).collect();
        agents.sort_unstable();
        agents.dedup();
        for agent in agents {
            services.task_notifier.send_signal(RunnerSignal::TaskAvailable { agent_id: agent }).await;
        }
    }
}
