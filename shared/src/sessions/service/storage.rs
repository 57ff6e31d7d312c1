//! Counting what tenants store, for their quotas.

use crate::{
    identity::tenants::store::{TenantFilter, list},
    kernel::error::Result,
    sessions::{services::SessionServices, store},
};

/// How many tenants are listed at once.
const PAGE: i64 = 200;

/// Counts what each tenant stores. A tenant whose count fails keeps its last one.
pub async fn count_stored(sessions: &SessionServices) -> Result<()> {
    let mut before = None;
    loop {
        let page = list(&sessions.db, &TenantFilter::default(), before, PAGE).await?;
        for tenant in &page {
            let counted = Box::pin(store::count_stored(&sessions.db, tenant.id, sessions.clock.now())).await;
            if let Err(error) = counted {
                tracing::warn!(?error, tenant.id = %tenant.id, "what a tenant stores could not be counted");
            }
        }
        match page.last() {
            Some(last) if page.len() == usize::try_from(PAGE).unwrap_or_default() => before = Some(last.id),
            _ => return Ok(()),
        }
    }
}
