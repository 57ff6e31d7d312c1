//! Postgres, behind the only door there is to tenant data: [`Db::tenant`] opens a transaction that sees one tenant.
//!
//! The first statement of a transaction travels together with BEGIN and the last together with COMMIT, so that a
//! request costs as few round trips as it has decisions.

mod opening;
mod trouble;

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures_util::FutureExt;
use tokio_postgres::{Config, NoTls, Row, config::SslMode, types::ToSql};

use crate::{
    audit::{self, Entry},
    error::{Code, Error, Result},
    event::{self, tenant::TenantEvent},
    id::TenantId,
    unit::{Later, Unit},
};

pub use self::trouble::OnConstraint;
pub(crate) use self::trouble::refused_with;
use self::{
    opening::{Opening, Sent},
    trouble::{Trouble, in_time},
};

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A statement with its parameters.
pub type Statement<'a> = (&'a str, Params<'a>);

/// A statement that owns what it is to be sent with.
pub(crate) struct Owned<'a> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
}

impl Owned<'_> {
    pub(crate) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect()
    }
}

/// How long a transaction of ours may be silent before Postgres undoes it: a process that was frozen in the middle of
/// one would otherwise keep its rows from all others.
const LONGEST_SILENCE: &str = "5s";

/// How long Postgres may work on one statement of a transaction before it gives up by itself. Shorter than we wait for it ([`trouble`]).
const LONGEST_STATEMENT: &str = "8s";

/// How to reach Postgres.
#[derive(Clone)]
pub struct Settings {
    /// A URL of the role `ioc_app`. `sslmode=require` asks for TLS.
    pub url: String,
    /// Connections at most. A Lambda serves one request at a time and needs 1 or 2.
    pub connections: usize,
    /// A PEM file of certificate authorities, for servers whose authority the system does not know.
    pub ca_file: Option<String>,
}

/// A pool of connections. Cheap to clone; connects when first needed.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
}

impl Db {
    /// Prepares the pool; nothing is connected yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        let mut config: Config =
            settings.url.parse().map_err(|_| Error::new(Code::InternalError, "DATABASE_URL is not a Postgres URL."))?;
        config.connect_timeout(Duration::from_secs(3)).application_name("ioc");
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => Manager::from_config(config, NoTls, manager_config),
            _ => Manager::from_config(config, tls(settings.ca_file.as_deref())?, manager_config),
        };
        let wait = Some(Duration::from_secs(5));
        let pool = Pool::builder(manager)
            .max_size(settings.connections.max(1))
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { pool })
    }

    /// Opens a transaction that sees the rows of one tenant and no others. Nothing is sent before the first statement.
    ///
    /// Inside of a [`Unit`] it goes on with the transaction of that unit.
    pub async fn tenant(&self, tenant_id: TenantId) -> Result<Tx> {
        let unit = Unit::current();
        if let Some(unit) = &unit
            && let Some((of, put_off)) = unit.take_put_off()
        {
            // Whatever comes now may want to read what was written.
            Box::pin(self.open(of, Some(unit.clone())).await?.write(put_off.as_ref())).await?;
        }
        self.open(tenant_id, unit).await
    }

    async fn open(&self, tenant_id: TenantId, unit: Option<Unit>) -> Result<Tx> {
        let (client, opening) = match unit.as_ref().and_then(Unit::take) {
            Some(client) => (client, Opening::going_on()),
            None => (self.client().await?, Opening::anew()),
        };
        let (client, opening, entries, told) = (Some(client), Some(opening), Vec::new(), Vec::new());
        let ends = unit.is_none();
        Ok(Tx { client, pool: self.pool.clone(), tenant_id, opening, open: false, entries, told, unit, ends })
    }

    /// The transaction of a unit as it sees this tenant, to be ended; begun now if it was not.
    pub(crate) async fn last_of(&self, unit: &Unit, tenant_id: TenantId) -> Result<Tx> {
        let mut tx = self.open(tenant_id, Some(unit.clone())).await?;
        tx.ends = true;
        Ok(tx)
    }

    /// One statement that sees one tenant, in one round trip.
    pub async fn read(&self, tenant_id: TenantId, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let mut tx = self.tenant(tenant_id).await?;
        if let Some(opening) = &mut tx.opening {
            opening.plan_anew();
        }
        tx.finish(sql, params).await
    }

    /// Calls one of the directory's functions (see the migrations), the only ones that see more than one tenant.
    pub async fn directory(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        match run(self.client().await?, sql, params).await {
            Err(error) if error.is_gone() => {
                forget_idle(&self.pool);
                Ok(run(self.client().await?, sql, params).await?)
            }
            other => Ok(other?),
        }
    }

    /// Whether Postgres answers, and whether our role is bound by row-level security as it must be.
    pub async fn ping(&self) -> Result<()> {
        let rows = self
            .directory("select not (rolsuper or rolbypassrls) as bound from pg_roles where rolname = current_user", &[])
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

    async fn client(&self) -> Result<Object> {
        Box::pin(self.pool.get()).await.map_err(|source| Error::unavailable("Postgres", source))
    }
}

/// An open transaction of one tenant. Dropped without [`Tx::commit`] or [`Tx::finish`], it is rolled back.
pub struct Tx {
    /// There until the transaction is over or handed to its unit.
    client: Option<Object>,
    pool: Pool,
    tenant_id: TenantId,
    /// What is sent before its first statement, until that is.
    opening: Option<Opening>,
    open: bool,
    entries: Vec<Entry>,
    told: Vec<TenantEvent>,
    unit: Option<Unit>,
    /// Whether what finishes it commits: otherwise that is its unit's to do.
    ends: bool,
}

impl Tx {
    /// Waits, when the transaction begins, until no other transaction holds `name`; held until the end of this one.
    ///
    /// Statements after it see what the earlier holders committed. Must come before the first statement; several
    /// locks are taken in the order of the calls, which has to be the same everywhere.
    pub fn lock(&mut self, name: &str) {
        debug_assert!(self.opening.is_some(), "locks are taken as the transaction begins");
        if let Some(opening) = &mut self.opening {
            opening.lock(name);
        }
    }

    /// Puts on record what this transaction changes: appended to the tenant's audit log right before the commit.
    pub fn audit(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Tells those who watch the tenant of what this transaction changes: written along with its last statements.
    pub fn tell(&mut self, event: TenantEvent) {
        self.told.push(event);
    }

    pub async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        Ok(self.query_all(&[(sql, params)]).await?.pop().unwrap_or_default())
    }

    /// Runs statements in this order, in one round trip; the answer to each. None may need what another answers.
    pub async fn query_all(&mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>> {
        let first = self.first();
        match self.send(&first, statements, false).await {
            // The connection had died in the pool: nothing of this transaction was done yet.
            Err(error) if first.begins() && error.is_gone() => {
                Box::pin(self.send_anew(&first, statements, false)).await
            }
            other => other.map_err(Error::from),
        }
    }

    pub async fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Runs the last statement and commits, in one round trip. A statement that fails undoes the whole transaction.
    pub async fn finish(self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        Ok(self.finish_all(&[(sql, params)]).await?.pop().unwrap_or_default())
    }

    /// As [`Tx::finish`], with the last statements.
    pub async fn finish_all(mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>> {
        let first = self.first();
        let appended = self.entries_to_append();
        let params: Vec<_> = appended.iter().map(Owned::params).collect();
        let appending = appended.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice()));
        let all: Vec<Statement<'_>> = statements.iter().copied().chain(appending).collect();
        let harmless =
            || all.iter().all(|(sql, _)| sql.trim_start().starts_with("select ") && !sql.contains("audit_append"));
        let last = self.ends;
        // What was committed after all, with a claim, is found by that claim.
        let claims = self.unit.as_ref().is_some_and(Unit::is_unclaimed);
        let again = |first: &Sent| first.begins() && (!last || claims || harmless());
        let mut answers = match self.send(&first, &all, last).await {
            Err(error) if error.is_gone() && again(&first) => Box::pin(self.send_anew(&first, &all, last)).await?,
            other => other?,
        };
        answers.truncate(statements.len());
        self.over();
        Ok(answers)
    }

    /// Writes the last of the transaction and commits. In a unit it is put off until something else is to be read or
    /// written, or the unit ends: then it travels with all that is committed.
    pub(crate) async fn finish_with(mut self, write: impl Later + 'static) -> Result<()> {
        let waits = self.opening.as_ref().is_some_and(Opening::waits);
        match &self.unit {
            Some(unit) if !waits && self.told.is_empty() => {
                unit.audit(self.tenant_id, std::mem::take(&mut self.entries));
                unit.put_off(self.tenant_id, Box::new(write));
                self.over();
                Ok(())
            }
            _ => self.write(&write).await,
        }
    }

    async fn write(self, write: &dyn Later) -> Result<()> {
        let statements = write.statements();
        let params: Vec<_> = statements.iter().map(Owned::params).collect();
        let all: Vec<_> = statements.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
        self.finish_all(&all).await.map(|_| ()).map_err(|error| write.refused(error))
    }

    /// What is to be told, and appended to the audit log, now. In a unit nothing is appended yet: whoever appends holds the
    /// log until the commit, and the unit may have more to wait for.
    fn entries_to_append(&mut self) -> Vec<Owned<'static>> {
        let entries = std::mem::take(&mut self.entries);
        let mut statements: Vec<_> = self.told.drain(..).map(event::store::append).collect();
        match &self.unit {
            Some(unit) => unit.audit(self.tenant_id, entries),
            None => statements.extend(entries.into_iter().map(audit::store::append)),
        }
        statements
    }

    /// Committed, or left to its unit to be.
    fn over(&mut self) {
        match &self.unit {
            _ if self.ends => self.open = false,
            // A connection on which nothing was begun yet is no transaction of the unit's.
            Some(_) if self.opening.as_ref().is_some_and(Opening::begins) => {}
            Some(unit) => unit.keep(self.client.take()),
            None => self.open = false,
        }
    }

    pub async fn commit(mut self) -> Result<()> {
        if !self.entries.is_empty() || !self.told.is_empty() {
            return Box::pin(self.finish_all(&[])).await.map(|_| ());
        }
        if self.open && self.ends {
            let client = self.client()?;
            if let Err(trouble) = in_time(Box::pin(client.batch_execute("commit"))).await {
                return Err(self.broken(trouble).into());
            }
        }
        self.over();
        Ok(())
    }

    fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or_else(|| Error::internal("the transaction is over"))
    }

    /// What is to be sent before the first statement.
    fn first(&mut self) -> Sent {
        let (unit, ends) = (self.unit.as_ref(), self.ends);
        self.opening.take().map(|opening| opening.of(self.tenant_id, unit, ends)).unwrap_or_default()
    }

    /// The same once more, on another connection.
    async fn send_anew(&mut self, first: &Sent, statements: &[Statement<'_>], last: bool) -> Result<Vec<Vec<Row>>> {
        self.open = false;
        forget_idle(&self.pool);
        self.client = Some(self.pool.get().await.map_err(|source| Error::unavailable("Postgres", source))?);
        Ok(self.send(first, statements, last).await?)
    }

    /// A connection that hangs is closed rather than given back: nobody else is to wait for it, and the transaction ends
    /// with it.
    fn broken(&mut self, trouble: Trouble) -> Trouble {
        if let (true, Some(unit)) = (trouble.is_refused_claim(), &self.unit) {
            unit.refuse();
        }
        if matches!(trouble, Trouble::Silent) {
            self.open = false;
            self.client.take().map(Object::take);
            if let Some(unit) = &self.unit {
                unit.undone();
            }
        }
        trouble
    }

    /// Sends what opens the transaction, the statements, and what commits it, without waiting in between.
    async fn send(&mut self, first: &Sent, statements: &[Statement<'_>], last: bool) -> Result<Vec<Vec<Row>>, Trouble> {
        let Some(client) = &self.client else { return Err(Trouble::Silent) };
        // Whatever comes of it, also when nobody waits for it any more: what is sent may have begun the transaction.
        self.open = true;
        let sent = in_time(Box::pin(opening::send(client, first, statements, last))).await;
        sent.map_err(|trouble| self.broken(trouble))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let (true, Some(client)) = (self.open, &self.client) {
            // Polled once, the message is on its way before the connection can be handed to anybody else.
            let _ = client.batch_execute("rollback").now_or_never();
            if let Some(unit) = &self.unit {
                unit.undone();
            }
        }
    }
}

/// Where one connection died in the pool the others have too, most likely: what is tried again gets a new one.
fn forget_idle(pool: &Pool) {
    pool.retain(|_, _| false);
}

/// One statement outside of a transaction.
async fn run(client: Object, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Trouble> {
    let answer = in_time(Box::pin(async { client.query(&client.prepare_cached(sql).await?, params).await })).await;
    if let Err(Trouble::Silent) = &answer {
        let _ = Object::take(client);
    }
    answer
}

pub(crate) fn tls(ca_file: Option<&str>) -> Result<tokio_postgres_rustls::MakeRustlsConnect> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let certificates = CertificateDer::pem_file_iter(path).map_err(Error::internal)?;
        roots.add_parsable_certificates(certificates.filter_map(std::result::Result::ok));
    }
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}
