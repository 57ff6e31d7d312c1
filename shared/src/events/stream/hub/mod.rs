//! The connections that this process holds and serves itself, as the local host does.
//!
//! Subscribers at the same position of a topic share one read and one serialized frame, however many they are. Each
//! connection has an outbox; a full one is skipped and served again once it has space.

mod delivery_loop;
pub mod feed;
mod monitor;
pub mod outbox;
mod redis_fanout;
mod rendered_page;
pub mod serve;
mod tenant_connections;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    kernel::{
        error::Result,
        id::{RequestId, TenantId},
    },
    platform::notification::TenantNotification,
};

use self::{
    outbox::Outbox,
    tenant_connections::{DeliveryForm, TenantConnections},
};
use super::{StreamLimits, connection::Connection};

/// All connections of this process. Clones share one hub.
#[derive(Clone)]
pub struct ConnectionHub(Arc<Inner>);

struct Inner {
    /// Distinguishes this process's notifications from those of other processes.
    id: Uuid,
    tenants: Mutex<HashMap<TenantId, Arc<TenantConnections>>>,
    connection_opened: Notify,
    /// Whether this process has begun to serve the connections.
    is_served: AtomicBool,
    /// Notifications that other processes have yet to receive.
    outgoing: Mutex<BTreeSet<TenantNotification>>,
    outgoing_changed: Notify,
}

impl Default for ConnectionHub {
    fn default() -> Self {
        Self(Arc::new(Inner {
            id: RequestId::new().0,
            tenants: Mutex::default(),
            connection_opened: Notify::new(),
            is_served: AtomicBool::new(false),
            outgoing: Mutex::default(),
            outgoing_changed: Notify::new(),
        }))
    }
}

/// A registered connection. Dropping the handle removes it from the hub.
pub struct ConnectionHandle {
    hub: ConnectionHub,
    tenant: Arc<TenantConnections>,
    id: String,
    pub outbox: Arc<Outbox>,
}

impl ConnectionHub {
    /// Registers the connection of a client, if the limits allow another one.
    pub fn register(&self, connection: Connection, limits: StreamLimits) -> Result<ConnectionHandle> {
        self.register_as(connection, DeliveryForm::Frames, limits)
    }

    fn register_as(
        &self,
        connection: Connection,
        form: DeliveryForm,
        limits: StreamLimits,
    ) -> Result<ConnectionHandle> {
        let (id, tenant_id) = (connection.id.clone(), connection.subscriber.tenant_id);
        let outbox = Arc::<Outbox>::default();
        let mut tenants = self.lock_tenants();
        let tenant = tenants.entry(tenant_id).or_insert_with(|| Arc::new(TenantConnections::new(tenant_id)));
        tenant.insert(connection, form, outbox.clone(), limits)?;
        let tenant = tenant.clone();
        drop(tenants);
        self.0.connection_opened.notify_one();
        Ok(ConnectionHandle { hub: self.clone(), tenant, id, outbox })
    }

    /// Notifies the connections of a tenant, here and in other processes, that there are new events.
    pub fn notify(&self, notification: TenantNotification) {
        self.notify_local(notification);
        let mut outgoing = self.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing drains the set while the hub does not run; a lost notification costs a second.
        if outgoing.len() < 10_000 {
            outgoing.insert(notification);
        }
        drop(outgoing);
        self.0.outgoing_changed.notify_one();
    }

    fn notify_local(&self, notification: TenantNotification) {
        if let Some(tenant) = self.lock_tenants().get(&notification.tenant_id) {
            tenant.notify(notification);
        }
    }

    /// Whether this process serves the connections, so that events and notifications reach them.
    pub fn is_served(&self) -> bool {
        self.0.is_served.load(Ordering::Relaxed)
    }

    /// The number of connections.
    pub fn connection_count(&self) -> usize {
        self.lock_tenants().values().map(|tenant| tenant.len()).sum()
    }

    /// Closes all connections, so that clients reconnect to another process.
    pub fn close_all(&self) {
        for tenant in self.lock_tenants().values() {
            tenant.for_each(|state| state.outbox.close(outbox::CloseReason::Reconnect));
        }
    }

    fn all_tenants(&self) -> Vec<Arc<TenantConnections>> {
        self.lock_tenants().values().cloned().collect()
    }

    /// Removes a tenant that has no connections; true if it was removed.
    fn remove_if_empty(&self, tenant: &TenantConnections) -> bool {
        let mut tenants = self.lock_tenants();
        let empty = tenant.len() == 0;
        if empty {
            tenants.remove(&tenant.tenant_id);
        }
        empty
    }

    fn lock_tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<TenantConnections>>> {
        self.0.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionHandle {
    /// Records that the client is alive.
    pub fn record_activity(&self) {
        self.tenant.record_activity(&self.id);
    }

    /// Records that a frame was written: a connection that was skipped because its outbox was full is served again.
    pub fn record_write(&self) {
        self.tenant.record_write(&self.id);
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        self.tenant.remove(&self.id);
        self.hub.0.connection_opened.notify_one();
    }
}
