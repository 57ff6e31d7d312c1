//! Wakes the broadcast jobs of all tenants, in case a chain of jobs broke.

use std::time::Duration;

use crate::{
    events::stream::{ConnectionBackend, services::StreamServices},
    kernel::{error::Result, id::TenantId},
    platform::queue::job::Job,
};

use super::registry;

/// Enqueues the broadcast job of every tenant that has connections. The reconciler calls it to restart broken chains.
pub async fn enqueue_all_broadcasts(services: &StreamServices) -> Result<()> {
    if !matches!(services.backend, ConnectionBackend::ApiGateway(_)) {
        return Ok(());
    }
    let mut jobs = Vec::new();
    for tenant in registry::list_tenants(&services.cache).await? {
        match tenant.parse::<TenantId>() {
            Ok(tenant_id) if !registry::list_connections(&services.cache, tenant_id).await?.is_empty() => {
                jobs.push((Job::broadcast(tenant_id), Duration::ZERO));
            }
            _ => registry::delete_tenant(&services.cache, &tenant).await?,
        }
    }
    services.enqueue(&jobs).await;
    Ok(())
}
