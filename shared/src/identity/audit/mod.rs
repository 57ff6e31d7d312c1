//! The audit log: who changed which object, from what to what. It is written in the transaction of the change.
//!
//! A use case passes an [`AuditEntry`] to [`record`]. The entry is appended to the tenant's chain right before the
//! commit, so that the lock on the chain is held as briefly as possible.

mod entry;
pub mod service;
pub mod store;

use crate::platform::postgres::{DeferredClass, Tx};

pub use self::entry::{AuditEntry, OBJECT_KINDS};

/// Records an entry in the transaction of the change. It is appended to the tenant's chain right before the commit.
pub(crate) fn record(tx: &mut Tx, entry: AuditEntry) {
    tx.defer(DeferredClass::BeforeCommit, store::append_statement(entry));
}
