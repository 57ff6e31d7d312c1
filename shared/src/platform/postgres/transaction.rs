//! A transaction of one tenant.
//!
//! The first statement travels together with BEGIN and the last together with COMMIT, so that a request costs as few
//! round trips as it has decisions.

use futures_util::FutureExt;
use tokio_postgres::Row;

use crate::kernel::{
    error::{Error, Result},
    id::TenantId,
};

use super::{
    connections::Connections,
    error::{CallFailure, with_timeout},
    preamble::{self, EncodedPreamble, TransactionPreamble},
    shares::PooledClient,
    statement::{DeferredClass, OwnedStatement, Params, Statement},
    unit_of_work::{DeferredWrite, UnitOfWork},
};

/// An open transaction of one tenant. Dropped without [`Tx::commit`] or [`Tx::query_and_commit`], it is rolled back.
pub struct Tx {
    /// Present until the transaction ends or returns to its unit of work.
    client: Option<PooledClient>,
    connections: Connections,
    tenant_id: TenantId,
    /// Sent before the first statement; `None` afterwards.
    preamble: Option<TransactionPreamble>,
    /// Whether the statements sent so far leave a transaction open on the server.
    open: bool,
    deferred: Vec<OwnedStatement<'static>>,
    before_commit: Vec<OwnedStatement<'static>>,
    unit: Option<UnitOfWork>,
    /// Whether the last statement commits. Within a unit of work the unit commits instead.
    ends: bool,
}

impl Tx {
    /// A transaction on this connection. It commits by itself unless it belongs to a unit of work.
    pub(super) fn new(
        client: PooledClient,
        connections: Connections,
        tenant_id: TenantId,
        preamble: TransactionPreamble,
        unit: Option<UnitOfWork>,
    ) -> Self {
        // The transaction of a unit may have begun in an earlier step.
        let (ends, open) = (unit.is_none(), !preamble.begins_transaction());
        let (client, preamble) = (Some(client), Some(preamble));
        let (deferred, before_commit) = (Vec::new(), Vec::new());
        Self { client, connections, tenant_id, preamble, open, deferred, before_commit, unit, ends }
    }

    /// The same, committed by its last statement also within a unit of work.
    pub(super) fn with_commit(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Lets Postgres plan for the values of each call: worth its time where they decide which index serves.
    pub(super) fn plan_each_call(&mut self) {
        if let Some(preamble) = &mut self.preamble {
            preamble.plan_each_call();
        }
    }

    /// Takes the advisory lock `name` when the transaction begins and holds it until its end.
    ///
    /// Later statements see what earlier holders committed. Call this before the first statement. Several locks are
    /// taken in the order of the calls, which must be the same everywhere.
    pub fn take_lock(&mut self, name: &str) {
        debug_assert!(self.preamble.is_some(), "locks are taken as the transaction begins");
        if let Some(preamble) = &mut self.preamble {
            preamble.add_lock(name);
        }
    }

    /// As [`Tx::take_lock`], beside others that share the lock, and not beside one that has it alone.
    pub(crate) fn share_lock(&mut self, name: &str) {
        debug_assert!(self.preamble.is_some(), "locks are taken as the transaction begins");
        if let Some(preamble) = &mut self.preamble {
            preamble.add_shared_lock(name);
        }
    }

    /// Sends a statement of this tenant later in the transaction, without a round trip of its own.
    pub(crate) fn defer(&mut self, class: DeferredClass, statement: OwnedStatement<'static>) {
        match class {
            DeferredClass::WithLast => self.deferred.push(statement),
            DeferredClass::BeforeCommit => self.before_commit.push(statement),
        }
    }

    pub async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        Ok(self.query_all(&[(sql, params)]).await?.pop().unwrap_or_default())
    }

    /// Runs statements in order in one round trip and returns the rows of each. No statement may depend on another's
    /// result.
    pub async fn query_all(&mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>> {
        let first = self.take_preamble();
        let sent = match self.send_statements(&first, statements, false).await {
            // The pooled connection was dead, so nothing of this transaction ran.
            Err(error) if first.begins_transaction() && error.is_gone() => {
                Box::pin(self.resend_statements(&first, statements, false)).await
            }
            other => other.map_err(Error::from),
        };
        sent.inspect_err(|_| self.mark_unit_rolled_back())
    }

    pub async fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Runs the last statement and commits, in one round trip. A failed statement rolls the transaction back.
    pub async fn query_and_commit(self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        Ok(self.finish_all(&[(sql, params)]).await?.pop().unwrap_or_default())
    }

    /// Like [`Tx::query_and_commit`], for several statements.
    pub async fn finish_all(mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>> {
        let first = self.take_preamble();
        let appended = self.take_deferred();
        let params: Vec<_> = appended.iter().map(OwnedStatement::params).collect();
        let appending = appended.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice()));
        let all: Vec<Statement<'_>> = statements.iter().copied().chain(appending).collect();
        let harmless =
            || all.iter().all(|(sql, _)| sql.trim_start().starts_with("select ") && !sql.contains("audit_append"));
        let last = self.ends;
        // A commit whose answer was lost is found by its idempotency claim.
        let claims = self.unit.as_ref().is_some_and(UnitOfWork::is_unclaimed);
        let again = |first: &EncodedPreamble| first.begins_transaction() && (!last || claims || harmless());
        let sent = match self.send_statements(&first, &all, last).await {
            Err(error) if error.is_gone() && again(&first) => {
                Box::pin(self.resend_statements(&first, &all, last)).await
            }
            other => other.map_err(Error::from),
        };
        let mut answers = sent.inspect_err(|_| self.mark_unit_rolled_back())?;
        answers.truncate(statements.len());
        self.close_connection();
        Ok(answers)
    }

    /// Runs the last write and commits. Within a unit of work the write is deferred until the next statement or the end
    /// of the unit, and then travels with the commit.
    pub(crate) async fn finish_with(mut self, write: impl DeferredWrite + 'static) -> Result<()> {
        let waits = self.preamble.as_ref().is_some_and(TransactionPreamble::waits_for_locks);
        match &self.unit {
            Some(unit) if !waits && self.deferred.is_empty() => {
                unit.defer_to_commit(self.tenant_id, std::mem::take(&mut self.before_commit));
                unit.defer(self.tenant_id, Box::new(write));
                self.close_connection();
                Ok(())
            }
            _ => self.write(&write).await,
        }
    }

    pub(super) async fn write(self, write: &dyn DeferredWrite) -> Result<()> {
        let statements = write.statements();
        let params: Vec<_> = statements.iter().map(OwnedStatement::params).collect();
        let all: Vec<_> = statements.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
        self.finish_all(&all).await.map(|_| ()).map_err(|error| write.map_refusal(error))
    }

    /// The deferred statements to send now. A unit of work keeps those that precede the commit: an appended audit entry
    /// locks its chain until the commit, and the unit may still have to wait for other statements.
    fn take_deferred(&mut self) -> Vec<OwnedStatement<'static>> {
        let mut statements = std::mem::take(&mut self.deferred);
        let before_commit = std::mem::take(&mut self.before_commit);
        match &self.unit {
            Some(unit) => unit.defer_to_commit(self.tenant_id, before_commit),
            None => statements.extend(before_commit),
        }
        statements
    }

    /// Marks the transaction as committed, or returns it to its unit of work.
    fn close_connection(&mut self) {
        match &self.unit {
            _ if self.ends => self.open = false,
            // Nothing began on this connection, so it is not the transaction of the unit.
            Some(_) if self.preamble.as_ref().is_some_and(TransactionPreamble::begins_transaction) => {}
            Some(unit) => unit.keep_client(self.client.take()),
            None => self.open = false,
        }
    }

    pub async fn commit(mut self) -> Result<()> {
        if !self.before_commit.is_empty() || !self.deferred.is_empty() {
            return Box::pin(self.finish_all(&[])).await.map(|_| ());
        }
        if self.open && self.ends {
            // A failed commit rolls back, so the transaction ends either way.
            self.open = false;
            let client = self.client()?;
            if let Err(failure) = with_timeout(Box::pin(client.batch_execute("commit"))).await {
                return Err(self.mark_broken(failure).into());
            }
        }
        self.close_connection();
        Ok(())
    }

    fn client(&self) -> Result<&PooledClient> {
        self.client.as_ref().ok_or_else(|| Error::internal("the transaction is over"))
    }

    /// Encodes what precedes the first statement.
    fn take_preamble(&mut self) -> EncodedPreamble {
        let (unit, ends) = (self.unit.as_ref(), self.ends);
        self.preamble.take().map(|preamble| preamble.encode_for(self.tenant_id, unit, ends)).unwrap_or_default()
    }

    /// Sends the same statements on a new connection.
    async fn resend_statements(
        &mut self,
        first: &EncodedPreamble,
        statements: &[Statement<'_>],
        last: bool,
    ) -> Result<Vec<Vec<Row>>> {
        self.open = false;
        self.connections.drop_idle();
        let reservation = self.client.take().map(PooledClient::into_reservation).unwrap_or_default();
        self.client = Some(self.connections.checkout(reservation).await?);
        Ok(self.send_statements(first, statements, last).await?)
    }

    /// Closes a connection that hangs instead of returning it to the pool. The transaction ends with it.
    fn mark_broken(&mut self, failure: CallFailure) -> CallFailure {
        self.connections.record_failure(&failure);
        if let (true, Some(unit)) = (failure.is_refused_claim(), &self.unit) {
            unit.mark_refused();
        }
        if matches!(failure, CallFailure::TimedOut) {
            self.open = false;
            if let Some(client) = self.client.take() {
                client.close();
            }
        }
        failure
    }

    /// Prevents the commit of the unit of work, because a part of it was rolled back.
    fn mark_unit_rolled_back(&self) {
        self.unit.iter().for_each(UnitOfWork::mark_rolled_back);
    }

    /// Sends the preamble of the transaction, the statements, and the commit after the `last`, without waiting in
    /// between.
    async fn send_statements(
        &mut self,
        first: &EncodedPreamble,
        statements: &[Statement<'_>],
        last: bool,
    ) -> Result<Vec<Vec<Row>>, CallFailure> {
        let Some(client) = &self.client else { return Err(CallFailure::TimedOut) };
        let open = &mut self.open;
        let sent = with_timeout(Box::pin(async {
            let prepared = preamble::prepare_statements(client, first, statements).await?;
            // From here on all statements are sent even if this future is dropped. A commit ends the transaction in any
            // case, so no rollback may follow it.
            *open = !last;
            preamble::send_pipelined(client, first, statements, &prepared, last).await
        }))
        .await;
        sent.map_err(|failure| self.mark_broken(failure))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let untouched = self.preamble.is_some();
        match (&self.unit, self.client.take()) {
            // Nothing was sent: the transaction of the unit continues unchanged.
            (Some(unit), Some(client)) if self.open && untouched => unit.keep_client(Some(client)),
            (_, Some(client)) if self.open => {
                // Polling once sends the message before the pool can hand out the connection.
                let _ = client.batch_execute("rollback").now_or_never();
                self.mark_unit_rolled_back();
            }
            _ => {}
        }
    }
}
