//! The connection pool. [`Db::tenant`] is the only way to tenant data: it opens a transaction that sees one tenant.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::{Config, NoTls, Row, config::SslMode};

use crate::{
    kernel::{
        error::{Code, Error, Result},
        id::TenantId,
    },
    platform::tls::postgres_connector,
};

use super::{
    connections::Connections,
    error::{CallFailure, with_timeout},
    preamble::TransactionPreamble,
    shares::{PoolShares, PooledClient},
    statement::Params,
    transaction::Tx,
    unit_of_work::UnitOfWork,
};

/// How long to wait for a connection of the pool.
const POOL_PATIENCE: Duration = Duration::from_secs(5);

/// The address of Postgres and the size of the pool.
#[derive(Clone)]
pub struct DbSettings {
    /// A URL of the role `ioc_app`. `sslmode=require` asks for TLS.
    pub url: String,
    /// The largest number of connections. A Lambda serves one request at a time and needs 1 or 2.
    pub connections: usize,
    /// A PEM file of certificate authorities, for servers whose authority is not among those of the system.
    pub ca_file: Option<String>,
}

/// A pool of connections. It is cheap to clone and connects at the first use.
#[derive(Clone)]
pub struct Db {
    connections: Connections,
    shares: PoolShares,
}

impl Db {
    /// Creates the pool without connecting.
    pub fn new(settings: &DbSettings) -> Result<Self> {
        let mut config: Config =
            settings.url.parse().map_err(|_| Error::new(Code::InternalError, "DATABASE_URL is not a Postgres URL."))?;
        config.connect_timeout(Duration::from_secs(3)).application_name("ioc");
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => Manager::from_config(config, NoTls, manager_config),
            _ => Manager::from_config(config, postgres_connector(settings.ca_file.as_deref())?, manager_config),
        };
        let wait = Some(POOL_PATIENCE);
        let shares = PoolShares::of_pool(settings.connections, POOL_PATIENCE);
        let pool = Pool::builder(manager)
            .max_size(settings.connections.max(1))
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { connections: Connections::of_pool(pool), shares })
    }

    /// Opens a transaction that sees only the rows of one tenant. Nothing is sent before the first statement.
    ///
    /// Within a [`UnitOfWork`] it continues the transaction of that unit.
    pub async fn tenant(&self, tenant_id: TenantId) -> Result<Tx> {
        let unit = UnitOfWork::current_unit();
        if let Some(unit) = &unit
            && let Some((of, defer)) = unit.take_deferred()
        {
            // The next statement may read what the deferred write changes.
            Box::pin(self.open_transaction(of, Some(unit.clone())).await?.write(defer.as_ref())).await?;
        }
        self.open_transaction(tenant_id, unit).await
    }

    async fn open_transaction(&self, tenant_id: TenantId, unit: Option<UnitOfWork>) -> Result<Tx> {
        let (client, preamble) = match unit.as_ref().and_then(UnitOfWork::take_client) {
            Some(client) => (client, TransactionPreamble::continue_open()),
            None => (self.checkout_client(Some(tenant_id)).await?, TransactionPreamble::begin_new()),
        };
        Ok(Tx::new(client, self.connections.clone(), tenant_id, preamble, unit))
    }

    /// The transaction of a unit of work as it sees this tenant, which its last statement commits. It begins now unless
    /// it is open already.
    pub(super) async fn last_of(&self, unit: &UnitOfWork, tenant_id: TenantId) -> Result<Tx> {
        Ok(self.open_transaction(tenant_id, Some(unit.clone())).await?.with_commit())
    }

    /// Runs one statement that sees one tenant, in one round trip.
    pub async fn read(&self, tenant_id: TenantId, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let mut tx = self.tenant(tenant_id).await?;
        tx.plan_each_call();
        tx.query_and_commit(sql, params).await
    }

    /// As [`Db::read`], with a statement that is planned once for each connection: for what is found by its key.
    pub async fn find(&self, tenant_id: TenantId, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        self.tenant(tenant_id).await?.query_and_commit(sql, params).await
    }

    /// Calls a directory function (see the migrations). Only these see more than one tenant.
    pub async fn query_directory(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let mut answer = run_query(self.checkout_client(None).await?, sql, params).await;
        if answer.as_ref().is_err_and(CallFailure::is_gone) {
            self.connections.drop_idle();
            answer = run_query(self.checkout_client(None).await?, sql, params).await;
        }
        Ok(answer.inspect_err(|failure| self.connections.record_failure(failure))?)
    }

    /// Whether Postgres refused to store something within this time, because its disk is full or fails. Reads succeed
    /// meanwhile, so [`Self::ping`] does not notice it.
    pub fn has_storage_failed_within(&self, time: Duration) -> bool {
        self.connections.has_storage_failed_within(time)
    }

    /// Checks that Postgres answers and that row-level security binds the role of this connection.
    pub async fn ping(&self) -> Result<()> {
        let rows = self
            .query_directory(
                "select not (rolsuper or rolbypassrls) as bound from pg_roles where rolname = current_user",
                &[],
            )
            .await?;
        let bound = rows.first().is_some_and(|row| row.get("bound"));
        if bound {
            Ok(())
        } else {
            Err(Error::new(
                Code::DependencyUnavailable,
                "The database role can pass row-level security; connect as ioc_app.",
            ))
        }
    }

    async fn checkout_client(&self, tenant_id: Option<TenantId>) -> Result<PooledClient> {
        let reservation = Box::pin(self.shares.reserve(tenant_id)).await?;
        self.connections.checkout(reservation).await
    }
}

/// Runs one statement outside a transaction.
async fn run_query(client: PooledClient, sql: &str, params: Params<'_>) -> Result<Vec<Row>, CallFailure> {
    let answer = with_timeout(Box::pin(async { client.query(&client.prepare_cached(sql).await?, params).await })).await;
    if let Err(CallFailure::TimedOut) = &answer {
        client.close();
    }
    answer
}
