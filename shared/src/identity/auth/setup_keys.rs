//! Keys that are created and revoked without a caller: the setup of an installation has no one who could call.

use crate::{
    identity::services::IdentityServices,
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        id::{KeyId, TenantId},
    },
};

use super::{Role, key, store};

/// The properties of a key that setup creates.
pub struct SetupKey<'a> {
    pub name: &'a str,
    pub role: Role,
    pub expires_at: Option<Time>,
}

/// Creates a key of a tenant. Returns its text, which is stored nowhere.
pub async fn create_setup_key(
    services: &IdentityServices,
    tenant_id: TenantId,
    request: &SetupKey<'_>,
) -> Result<(KeyId, String)> {
    let generated = key::generate_key(&services.pepper, &services.environment);
    let new = store::KeyInsert {
        tenant_id,
        id: generated.id,
        name: request.name,
        environment: &services.environment,
        role: request.role,
        secret_hash: &generated.hash,
        expires_at: request.expires_at,
        created_at: services.clock.now(),
        scopes: &[],
        user_id: None,
        created_by: Actor::system_part("setup"),
        created_by_key: None,
    };
    store::insert_key(services.db.tenant(tenant_id).await?, &new).await?;
    Ok((generated.id, generated.text))
}

/// Revokes a key; it stops working here at once and everywhere within
/// [`CREDENTIAL_TTL`](super::credential_cache::CREDENTIAL_TTL).
pub async fn revoke_setup_key(services: &IdentityServices, tenant_id: TenantId, id: KeyId) -> Result<bool> {
    let done = store::revoke_keys(services.db.tenant(tenant_id).await?, &[id], services.clock.now()).await?;
    services.invalidate_caches();
    Ok(done)
}
