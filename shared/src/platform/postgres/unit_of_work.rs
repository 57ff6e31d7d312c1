//! One request as one transaction: its writes and its answer are committed together or not at all.
//!
//! A use case opens and commits its transactions as usual. Within a unit of work,
//! [`Db::tenant`](crate::platform::postgres::Db::tenant) continues the one transaction of the unit, a commit only
//! returns it, and what follows a commit (notifications, admissions) waits for the commit of the unit. A request with
//! an `Idempotency-Key` runs this way.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    kernel::{
        error::{Error, Result},
        id::TenantId,
    },
    platform::postgres::OwnedStatement,
};

use super::shares::PooledClient;

tokio::task_local! {
    static CURRENT: UnitOfWork;
}

/// The transaction of a request while no use case holds it, and the work that follows its commit.
#[derive(Clone, Default)]
pub struct UnitOfWork(Arc<Mutex<UnitState>>);

#[derive(Default)]
pub(super) struct UnitState {
    /// The statement that begins the transaction, and the tenant that it sees; `None` once it was sent.
    pub(super) claim: Option<(TenantId, OwnedStatement<'static>)>,
    pub(super) refused: bool,
    pub(super) client: Option<PooledClient>,
    /// The tenant that the transaction sees.
    pub(super) sees: Option<TenantId>,
    pub(super) defer: Option<DeferredWork>,
    pub(super) before_commit: Vec<(TenantId, OwnedStatement<'static>)>,
    pub(super) after: Vec<BoxFuture<'static, ()>>,
    pub(super) undone: bool,
}

/// A write whose result is known in advance. It can be deferred and sent together with the commit.
pub(crate) trait DeferredWrite: Send + Sync {
    fn statements(&self) -> Vec<OwnedStatement<'_>>;

    /// Translates an error of its statements.
    fn map_refusal(&self, error: Error) -> Error;
}

type DeferredWork = (TenantId, Box<dyn DeferredWrite>);

/// The last statement of a unit of work. If nothing was sent before it, it also claims the idempotency key.
pub(crate) struct FinalStatement {
    pub(crate) tenant_id: TenantId,
    pub(crate) statement: OwnedStatement<'static>,
    /// The variant that also appends an audit entry, whose values follow those of the statement.
    pub(crate) with_entry: &'static str,
}

impl Drop for UnitState {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            // Polling once sends the message before the pool can hand out the connection.
            let _ = client.batch_execute("rollback").now_or_never();
        }
    }
}

impl UnitOfWork {
    /// The unit of work of this task.
    pub(crate) fn current_unit() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// A unit whose transaction begins with this statement, sent together with the first statement of the work. If
    /// Postgres refuses it, none of the work is done and the unit is [`UnitOfWork::is_refused`].
    pub(crate) fn with_claim(tenant_id: TenantId, claim: OwnedStatement<'static>) -> Self {
        let unit = Self::default();
        unit.with_state(|state| state.claim = Some((tenant_id, claim)));
        unit
    }

    /// Takes the claim; whoever begins the transaction sends it first.
    pub(crate) fn take_claim(&self) -> Option<(TenantId, OwnedStatement<'static>)> {
        self.with_state(|state| state.claim.take())
    }

    /// Whether the transaction has not begun yet.
    pub(crate) fn is_unclaimed(&self) -> bool {
        self.with_state(|state| state.claim.is_some())
    }

    pub(crate) fn mark_refused(&self) {
        self.with_state(|state| state.refused = true);
    }

    /// Whether its claim was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.with_state(|state| state.refused)
    }

    /// Records which tenant the transaction sees from now on. Returns false if it sees that tenant already.
    pub(crate) fn switch_tenant(&self, tenant_id: TenantId) -> bool {
        self.with_state(|state| state.sees.replace(tenant_id)) != Some(tenant_id)
    }

    /// Runs work within this unit.
    pub async fn enter<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    pub(super) fn take_client(&self) -> Option<PooledClient> {
        self.with_state(|state| state.client.take())
    }

    pub(super) fn keep_client(&self, client: Option<PooledClient>) {
        self.with_state(|state| state.client = client);
    }

    /// Keeps statements of a tenant that are sent right before the commit.
    pub(crate) fn defer_to_commit(&self, tenant_id: TenantId, statements: Vec<OwnedStatement<'static>>) {
        self.with_state(|state| state.before_commit.extend(statements.into_iter().map(|one| (tenant_id, one))));
    }

    pub(crate) fn mark_rolled_back(&self) {
        self.with_state(|state| state.undone = true);
    }

    /// Keeps a write until the transaction continues or ends. There is at most one: continuing takes it first.
    pub(crate) fn defer(&self, tenant_id: TenantId, write: Box<dyn DeferredWrite>) {
        self.with_state(|state| state.defer = Some((tenant_id, write)));
    }

    pub(crate) fn take_deferred(&self) -> Option<DeferredWork> {
        self.with_state(|state| state.defer.take())
    }

    pub(super) fn with_state<T>(&self, work: impl FnOnce(&mut UnitState) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs work that must follow a commit: at once, or within a unit of work after the commit of the unit.
pub async fn after_commit(work: impl Future<Output = ()> + Send + 'static) {
    match UnitOfWork::current_unit() {
        Some(unit) => unit.with_state(|state| state.after.push(Box::pin(work))),
        None => work.await,
    }
}

/// How often work is carried out at most, because it assumed something that was no longer true.
pub const MOST_ATTEMPTS: usize = 5;

/// Carries out work again if it assumed something that was no longer true. Within a unit of work, whose other parts are
/// lost as well, whoever began the unit does that.
pub(crate) async fn repeat_outdated<T, F>(work: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut attempts = if UnitOfWork::current_unit().is_some() { 1 } else { MOST_ATTEMPTS };
    loop {
        attempts -= 1;
        match Box::pin(work()).await {
            Err(error) if error.is_repeatable() && attempts > 0 => {}
            done => return done,
        }
    }
}
