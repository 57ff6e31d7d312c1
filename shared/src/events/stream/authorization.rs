//! Checks that subscribers are still authorized while their connections are open.

use crate::{
    identity::{
        auth::{Principal, Role, store::find_stored_key},
        services::IdentityServices,
    },
    kernel::error::Result,
};

use super::{Subscriber, store};

/// Whether the key or the user, and the tenant, of a subscriber are still active, and its token has not ended. Asks
/// Postgres, not the credential cache.
pub async fn is_still_authorized(services: &IdentityServices, subscriber: &Subscriber) -> Result<bool> {
    let now = services.clock.now();
    if subscriber.valid_until.is_some_and(|until| until <= now) {
        return Ok(false);
    }
    let role = match &subscriber.principal {
        Principal::Key { id, .. } => find_stored_key(&services.db, *id).await?.and_then(|key| {
            let alive = key.revoked_at.is_none_or(|at| at > now) && key.expires_at.is_none_or(|at| at > now);
            let owned = key.owner.as_ref().is_none_or(|owner| owner.is_active);
            let role = key.owner.as_ref().map_or(key.role, |owner| owner.role.min(key.role));
            (alive && owned && key.tenant_active && key.tenant_id == subscriber.home_tenant_id).then_some(role)
        }),
        Principal::User { id, .. } => {
            let found = store::find_user_role(&services.db, subscriber.home_tenant_id, *id).await?;
            found.filter(|(active, _)| *active).and_then(|(_, role)| Role::parse(&role))
        }
    };
    match role {
        None => Ok(false),
        Some(_) if subscriber.tenant_id == subscriber.home_tenant_id => Ok(true),
        Some(role) => Ok(role == Role::Admin && store::is_tenant_active(&services.db, subscriber.tenant_id).await?),
    }
}
