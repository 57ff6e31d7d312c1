//! Shares of the connection pool: the requests of one tenant cannot occupy it, and requests and background work leave
//! connections to each other.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Object, Pool};
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::kernel::{
    error::{Code, Error, Result},
    id::TenantId,
};

/// How long a request waits for a connection of its tenant's share.
const TENANT_PATIENCE: Duration = Duration::from_secs(20);

/// The smallest pool that is shared out. A Lambda function has a smaller one and serves one request at a time.
const MIN_CONNECTIONS: usize = 4;

/// How long the share of a tenant is kept in memory without a request.
const IDLE: Duration = Duration::from_mins(5);

tokio::task_local! {
    static REQUEST: Request;
}

/// A request, and the number of connections that it holds.
#[derive(Clone, Default)]
struct Request(Arc<AtomicUsize>);

/// Runs the work of a request of somebody else. Work outside of it is the background work of this process.
pub async fn run_request<T>(work: impl Future<Output = T>) -> T {
    REQUEST.scope(Request::default(), work).await
}

/// The shares of a pool.
#[derive(Clone)]
pub(super) struct PoolShares(Option<Arc<Shares>>);

struct Shares {
    requests: Arc<Semaphore>,
    background: Arc<Semaphore>,
    /// For requests whose tenant is not known, such as those without a credential.
    unknown_tenant: Arc<Semaphore>,
    per_tenant: usize,
    tenants: Cache<TenantId, Arc<Semaphore>>,
    tenant_patience: Duration,
    pool_patience: Duration,
}

impl PoolShares {
    /// Shares out a pool: half of it to the requests of each tenant and to those whose tenant is not known, and all but
    /// a quarter to all requests and to all background work.
    pub(super) fn of_pool(connections: usize, pool_patience: Duration) -> Self {
        Self::with_patience(connections, TENANT_PATIENCE, pool_patience)
    }

    fn with_patience(connections: usize, tenant_patience: Duration, pool_patience: Duration) -> Self {
        if connections < MIN_CONNECTIONS {
            return Self(None);
        }
        let most = connections - connections / 4;
        Self(Some(Arc::new(Shares {
            requests: Arc::new(Semaphore::new(most)),
            background: Arc::new(Semaphore::new(most)),
            unknown_tenant: Arc::new(Semaphore::new(connections / 2)),
            per_tenant: connections / 2,
            tenants: Cache::builder().max_capacity(100_000).time_to_idle(IDLE).build(),
            tenant_patience,
            pool_patience,
        })))
    }

    /// Waits for the right to one more connection, for work on a tenant if it is known.
    pub(super) async fn reserve(&self, tenant_id: Option<TenantId>) -> Result<Reservation> {
        let Some(shares) = &self.0 else { return Ok(Reservation::default()) };
        let Ok(request) = REQUEST.try_with(Request::clone) else {
            let general = shares.acquire_general(&shares.background).await?;
            return Ok(Reservation { general: Some(general), tenant: None, request: None });
        };
        let held = request.0.fetch_add(1, Ordering::Relaxed);
        let mut reservation = Reservation { request: Some(request), tenant: None, general: None };
        // A request that waited for itself would wait for ever, so only its first connection counts.
        if held == 0 {
            reservation.tenant = Some(match tenant_id {
                Some(tenant_id) => shares.acquire_of_tenant(tenant_id).await?,
                None => shares.acquire_general(&shares.unknown_tenant).await?,
            });
            reservation.general = Some(shares.acquire_general(&shares.requests).await?);
        }
        Ok(reservation)
    }
}

impl Shares {
    async fn acquire_of_tenant(&self, tenant_id: TenantId) -> Result<OwnedSemaphorePermit> {
        let share = self.tenants.get_with(tenant_id, || Arc::new(Semaphore::new(self.per_tenant)));
        let waited = tokio::time::timeout(self.tenant_patience, share.acquire_owned()).await;
        waited.ok().and_then(Result::ok).ok_or_else(|| {
            let why = "The requests of your tenant use its whole share of the database connections.";
            Error::new(Code::TenantBusy, why)
        })
    }

    async fn acquire_general(&self, share: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
        let waited = tokio::time::timeout(self.pool_patience, share.clone().acquire_owned()).await;
        let permit = waited.map_err(|late| Error::unavailable("Postgres", late))?;
        permit.map_err(|closed| Error::unavailable("Postgres", closed))
    }
}

/// The right to one connection, until it is dropped.
#[derive(Default)]
pub(super) struct Reservation {
    tenant: Option<OwnedSemaphorePermit>,
    general: Option<OwnedSemaphorePermit>,
    request: Option<Request>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        drop(self.general.take());
        drop(self.tenant.take());
        if let Some(Request(held)) = &self.request {
            held.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A connection of the pool with its reservation.
pub(super) struct PooledClient {
    object: Object,
    reservation: Reservation,
}

impl PooledClient {
    /// Takes a connection from the pool.
    pub(super) async fn checkout(pool: &Pool, reservation: Reservation) -> Result<Self> {
        let object = Box::pin(pool.get()).await.map_err(|source| Error::unavailable("Postgres", source))?;
        Ok(Self { object, reservation })
    }

    /// Closes the connection instead of returning it to the pool.
    pub(super) fn close(self) {
        drop(Object::take(self.object));
    }

    /// Returns the connection to the pool, but keeps its reservation for another.
    pub(super) fn into_reservation(self) -> Reservation {
        self.reservation
    }
}

impl Deref for PooledClient {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn shares() -> PoolShares {
        PoolShares::with_patience(8, PATIENCE, PATIENCE)
    }

    async fn request(shares: &PoolShares, tenant_id: TenantId) -> Result<Reservation> {
        run_request(shares.reserve(Some(tenant_id))).await
    }

    #[tokio::test]
    async fn a_tenant_gets_half_of_the_pool_and_background_work_a_quarter_at_least() {
        let (shares, busy, other) = (shares(), TenantId::new(), TenantId::new());
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(request(&shares, busy).await.unwrap());
        }
        assert_eq!(request(&shares, busy).await.err().unwrap().code(), Code::TenantBusy);
        let others = (request(&shares, other).await.unwrap(), request(&shares, other).await.unwrap());
        let full = request(&shares, TenantId::new()).await.err().unwrap();
        assert_eq!(full.code(), Code::DependencyUnavailable, "the requests of all tenants use six of eight");
        for _ in 0..6 {
            held.push(shares.reserve(Some(busy)).await.unwrap());
        }
        assert!(shares.reserve(None).await.is_err(), "background work leaves two to requests");
        drop(others);
        assert!(request(&shares, other).await.is_ok());
    }

    #[tokio::test]
    async fn requests_of_unknown_tenants_get_half_of_the_pool() {
        let (shares, tenant_id) = (shares(), TenantId::new());
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(run_request(shares.reserve(None)).await.unwrap());
        }
        assert!(run_request(shares.reserve(None)).await.is_err());
        assert!(request(&shares, tenant_id).await.is_ok());
    }

    #[tokio::test]
    async fn a_request_that_needs_a_second_connection_does_not_wait_for_itself() {
        let (shares, tenant_id) = (shares(), TenantId::new());
        let nested = async {
            let first = shares.reserve(Some(tenant_id)).await.unwrap();
            let second = shares.reserve(Some(tenant_id)).await.unwrap();
            (first, second)
        };
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(request(&shares, tenant_id).await.unwrap());
        }
        let both = run_request(nested).await;
        assert!(request(&shares, tenant_id).await.is_err());
        drop(both);
        assert!(request(&shares, tenant_id).await.is_ok());
    }

    #[tokio::test]
    async fn a_small_pool_is_not_shared_out() {
        let (shares, tenant_id) = (PoolShares::of_pool(2, PATIENCE), TenantId::new());
        let held = [request(&shares, tenant_id).await.unwrap(), request(&shares, tenant_id).await.unwrap()];
        assert!(held.iter().all(|one| one.tenant.is_none() && one.general.is_none()));
    }
}
