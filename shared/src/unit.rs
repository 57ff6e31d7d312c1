//! One request as one transaction: all that it writes, and the answer to it, are committed together or not at all.
//!
//! A use case opens and commits its transactions as always; inside of a unit [`Db::tenant`](crate::db::Db::tenant) goes
//! on with the one transaction that there is, a commit only hands it back, and what would follow a commit (bells,
//! admissions) waits until the unit is committed. A request with an `Idempotency-Key` runs so.

use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Object;
use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    audit::{self, Entry},
    db::{Db, Owned},
    error::{Code, Error, Result},
    id::TenantId,
};

tokio::task_local! {
    static CURRENT: Unit;
}

/// The transaction of a request, while nobody uses it, and what follows its commit.
#[derive(Clone, Default)]
pub struct Unit(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What its transaction begins with, as which tenant: until it was sent.
    claim: Option<(TenantId, Owned<'static>)>,
    refused: bool,
    client: Option<Object>,
    /// The tenant that its transaction sees.
    sees: Option<TenantId>,
    put_off: Option<PutOff>,
    entries: Vec<(TenantId, Entry)>,
    after: Vec<BoxFuture<'static, ()>>,
    undone: bool,
}

/// A write that all that follows from it is known of before it is sent, so that it can wait for what it is sent with.
pub(crate) trait Later: Send + Sync {
    fn statements(&self) -> Vec<Owned<'_>>;

    /// What an error of its statements means.
    fn refused(&self, error: Error) -> Error;
}

type PutOff = (TenantId, Box<dyn Later>);

/// What a unit ends with besides what was done in it: a statement, seen by a tenant, that takes the unit's claim by itself
/// where nothing was sent yet.
pub(crate) struct Last {
    pub(crate) tenant_id: TenantId,
    pub(crate) statement: Owned<'static>,
    /// The same statement when an entry is appended to the audit log with it, whose values come after its own.
    pub(crate) with_entry: &'static str,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            // Given up half-way: polled once, the message is on its way before anybody else has the connection.
            let _ = client.batch_execute("rollback").now_or_never();
        }
    }
}

impl Unit {
    /// The unit that this task is in.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// A unit whose transaction begins with this statement, sent along with the first of the work. Where Postgres refuses
    /// it nothing of the work is done, and the unit is [`Unit::refused`].
    pub(crate) fn claiming(tenant_id: TenantId, claim: Owned<'static>) -> Self {
        let unit = Self::default();
        unit.state(|state| state.claim = Some((tenant_id, claim)));
        unit
    }

    /// What is to be sent first, by whoever begins the transaction.
    pub(crate) fn take_claim(&self) -> Option<(TenantId, Owned<'static>)> {
        self.state(|state| state.claim.take())
    }

    /// Whether nobody has begun the transaction.
    pub(crate) fn is_unclaimed(&self) -> bool {
        self.state(|state| state.claim.is_some())
    }

    pub(crate) fn refuse(&self) {
        self.state(|state| state.refused = true);
    }

    /// Whether its claim was refused.
    pub(crate) fn refused(&self) -> bool {
        self.state(|state| state.refused)
    }

    /// Notes which tenant the transaction sees from now on; false when it does so already.
    pub(crate) fn turn_to(&self, tenant_id: TenantId) -> bool {
        self.state(|state| state.sees.replace(tenant_id)) != Some(tenant_id)
    }

    /// Does some work inside of this unit.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    pub(crate) fn take(&self) -> Option<Object> {
        self.state(|state| state.client.take())
    }

    pub(crate) fn keep(&self, client: Option<Object>) {
        self.state(|state| state.client = client);
    }

    pub(crate) fn audit(&self, tenant_id: TenantId, entries: Vec<Entry>) {
        self.state(|state| state.entries.extend(entries.into_iter().map(|entry| (tenant_id, entry))));
    }

    pub(crate) fn undone(&self) {
        self.state(|state| state.undone = true);
    }

    /// Keeps a write for when the transaction goes on, or ends. There is one at most: who goes on takes it first.
    pub(crate) fn put_off(&self, tenant_id: TenantId, write: Box<dyn Later>) {
        self.state(|state| state.put_off = Some((tenant_id, write)));
    }

    pub(crate) fn take_put_off(&self) -> Option<PutOff> {
        self.state(|state| state.put_off.take())
    }

    /// Commits all that was done in it and, with it, the last; then what was to follow is done.
    pub(crate) async fn end(&self, db: &Db, last: Option<Last>) -> Result<()> {
        let (sees, undone) = self.state(|state| (state.sees, state.undone));
        let put_off = self.take_put_off();
        let first = put_off.as_ref().map(|(of, _)| *of).or(sees).or(last.as_ref().map(|last| last.tenant_id));
        // Rolled back in a part, all of it is: the rest is not to stand alone.
        let first = first.filter(|_| !undone).ok_or_else(lost)?;
        let tx = db.last_of(self, first).await?;
        let mut sees = first;
        let mut statements = put_off.as_ref().map(|(_, write)| write.statements()).unwrap_or_default();
        // Who appends to the log holds it until the commit: that comes last.
        let mut entries = self.state(|state| std::mem::take(&mut state.entries));
        if let Some(Last { tenant_id, statement: mut last, with_entry }) = last {
            statements.extend((tenant_id != sees).then(|| see(tenant_id)));
            if entries.first().is_some_and(|(of, _)| *of == tenant_id) {
                let (_, entry) = entries.remove(0);
                last.sql = with_entry;
                last.values.extend(audit::store::append(entry).values);
            }
            statements.push(last);
            sees = tenant_id;
        }
        statements.extend(appending(entries, sees));
        let params: Vec<_> = statements.iter().map(Owned::params).collect();
        let all: Vec<_> = statements.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
        let ended = tx.finish_all(&all).await;
        ended.map_err(|error| match &put_off {
            Some((_, write)) => write.refused(error),
            None => error,
        })?;
        for follows in self.state(|state| std::mem::take(&mut state.after)) {
            follows.await;
        }
        Ok(())
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Does some work that writes for more than one tenant, all of it or nothing: as part of the unit that there is, or in
/// one of its own.
pub(crate) async fn as_one<T>(db: &Db, work: impl Future<Output = Result<T>>) -> Result<T> {
    if Unit::current().is_some() {
        return Box::pin(work).await;
    }
    let unit = Unit::default();
    let answer = unit.scope(Box::pin(work)).await?;
    Box::pin(unit.end(db, None)).await?;
    Ok(answer)
}

/// What was given up half-way took everything before it along; sent again, the request finds the way clear.
pub(crate) fn lost() -> Error {
    Error::new(Code::DependencyUnavailable, "Somebody else changed the same rows at once.")
}

/// What appends entries to the chains of their tenants, beginning where one tenant is seen.
pub(crate) fn appending(entries: Vec<(TenantId, Entry)>, mut sees: TenantId) -> Vec<Owned<'static>> {
    let mut statements = Vec::with_capacity(2 * entries.len());
    for (tenant_id, entry) in entries {
        if tenant_id != sees {
            statements.push(see(tenant_id));
            sees = tenant_id;
        }
        statements.push(audit::store::append(entry));
    }
    statements
}

/// Later statements of the transaction see another tenant.
pub(crate) fn see(tenant_id: TenantId) -> Owned<'static> {
    Owned { sql: "select set_config('app.tenant_id', $1, true)", values: vec![Box::new(tenant_id.to_string())] }
}

/// Does what follows a commit: at once, or in a unit once that is committed.
pub async fn after_commit(work: impl Future<Output = ()> + Send + 'static) {
    match Unit::current() {
        Some(unit) => unit.state(|state| state.after.push(Box::pin(work))),
        None => work.await,
    }
}
