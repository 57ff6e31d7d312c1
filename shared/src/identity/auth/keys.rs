//! The use cases of API keys: creating, rotating and revoking them. No caller creates a key with more rights than its
//! own.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    identity::services::IdentityServices,
    identity::{
        audit::{self, AuditEntry},
        tenants,
        users::{self, User},
    },
    kernel::{
        clock::Time,
        error::{Code, Error, Result, ValidationErrors},
        id::{KeyId, UserId},
        text,
    },
    platform::postgres::{Tx, lock_names},
};

use super::{
    Caller, Principal, Role, Scope,
    key::{self, ApiKey},
    permission::{is_within, may_manage},
    store::{self, KeyInsert, KeyVisibility},
};

/// The longest lifetime of a key.
const MAX_LIFETIME: TimeDelta = TimeDelta::days(5 * 365 + 2);

/// The longest time, in seconds, that a rotated key may stay valid.
pub const MAX_OVERLAP_SECONDS: i64 = 604_800;

/// How many seconds a rotated key stays valid by default.
const DEFAULT_OVERLAP_SECONDS: i64 = 86_400;

/// The input to create a key, unchecked.
#[derive(Debug)]
pub struct ApiKeyInput {
    pub name: String,
    /// Absent: the role of the caller, or of the owner if that is lower.
    pub role: Option<Role>,
    /// Empty: the scopes of the caller.
    pub scopes: Vec<String>,
    pub expires_at: Option<Time>,
    /// Absent: the caller. `Some(None)`: no owner, a key of the tenant.
    pub user_id: Option<Option<UserId>>,
}

/// A new key with its secret text, which is returned only once.
pub struct CreatedKey {
    pub key: ApiKey,
    pub secret: String,
}

/// Creates a key with at most the rights of the caller and of the owner.
pub async fn create(services: &IdentityServices, caller: &Caller, input: ApiKeyInput) -> Result<CreatedKey> {
    let now = services.clock.now();
    let mut refusals = ValidationErrors::default();
    let name = refusals.check("name", text::parse_line(input.name, 1..=100)).unwrap_or_default();
    let scopes = parse_scopes(&mut refusals, &input.scopes);
    let ceiling = life_of(caller);
    let expires_at = input.expires_at.and_then(|at| refusals.check("expires_at", parse_expiry(at, now, ceiling)));
    refusals.into_result()?;
    let owner = resolve_owner(services, caller, input.user_id).await?;
    let most = owner.as_ref().map_or(caller.role, |owner| owner.role.min(caller.role));
    let role = input.role.unwrap_or(most);
    let scopes = if scopes.is_empty() { caller.scopes.to_vec() } else { scopes };
    check_ceiling(caller, role, &scopes)?;
    if role > most {
        return Err(Error::invalid_field("role", "is above the role of the user who owns the key"));
    }
    let properties = KeyProperties {
        name,
        role,
        scopes,
        expires_at: earlier(expires_at, ceiling),
        user_id: owner.map(|owner| owner.id),
        created_by_key: caller.principal.key().map(|(id, _)| id),
    };
    let new = NewKey::generate_key(services, caller, properties);
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_keys(caller.tenant_id));
    tenants::service::check_new_key(services, &mut tx, caller.tenant_id).await?;
    audit::record(
        &mut tx,
        AuditEntry::new(caller, now, "api_key.create", new.key.id).with_after(audit_view(&new.key)?),
    );
    new.insert(services, caller, tx).await
}

/// The user who will own a key: the caller, a user whom the caller may manage, or `None` for a key of the tenant.
async fn resolve_owner(
    services: &IdentityServices,
    caller: &Caller,
    requested: Option<Option<UserId>>,
) -> Result<Option<User>> {
    let own = own_user_id(caller);
    let Some(id) = requested.unwrap_or(own) else {
        let needless = "Your credential does not belong to a user, so you cannot own keys: ask a lead.";
        let detail =
            if requested.is_some() { "Only a lead or an admin may create keys of the tenant." } else { needless };
        return if caller.role >= Role::Lead { Ok(None) } else { Err(Error::new(Code::Forbidden, detail)) };
    };
    if Some(id) != own && caller.role < Role::Lead {
        return Err(Error::new(Code::Forbidden, "Only a lead or an admin may create keys for other users."));
    }
    let owner = match users::store::find_user(&services.db, caller.tenant_id, id).await {
        Err(error) if error.code() == Code::UserNotFound => {
            return Err(Error::invalid_field("user_id", "the tenant has no user with this id"));
        }
        found => found?,
    };
    if !owner.is_active {
        return Err(Error::invalid_field("user_id", "this user is deactivated"));
    }
    if Some(id) != own && !may_manage(caller.role, owner.role) {
        return Err(Error::new(Code::Forbidden, "You may create keys only for yourself and for users below lead."));
    }
    Ok(Some(owner))
}

/// The user id of the caller, if the caller acts on its own tenant.
fn own_user_id(caller: &Caller) -> Option<UserId> {
    caller.principal.user_id().filter(|_| caller.tenant_id == caller.home_tenant_id)
}

/// Refuses a role or scopes beyond those of the caller.
fn check_ceiling(caller: &Caller, role: Role, scopes: &[Scope]) -> Result<()> {
    if role > caller.role {
        let detail = format!("The role {} of the key is above your own role, {}.", role.name(), caller.role.name());
        return Err(Error::new(Code::Forbidden, detail));
    }
    if !is_within(scopes, &caller.scopes) {
        return Err(Error::new(Code::Forbidden, "The key would have scopes that your own credential lacks."));
    }
    Ok(())
}

fn parse_scopes(refusals: &mut ValidationErrors, texts: &[String]) -> Vec<Scope> {
    let parsed =
        texts.iter().enumerate().filter_map(|(at, text)| refusals.check(&format!("scopes[{at}]"), text.parse()));
    let sorted: BTreeSet<Scope> = parsed.collect();
    sorted.into_iter().collect()
}

/// When the caller's own key expires, which no key that it makes survives; `None` if it does not, or is a login.
fn life_of(caller: &Caller) -> Option<Time> {
    caller.principal.key().and_then(|(_, expires_at)| expires_at)
}

/// The earlier of two ends, where `None` is none.
fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}

fn parse_expiry(at: Time, now: Time, ceiling: Option<Time>) -> Result<Time, String> {
    if at <= now {
        return Err("must lie in the future".to_owned());
    }
    if let Some(ceiling) = ceiling.filter(|ceiling| at > *ceiling) {
        return Err(format!("must not lie after the end of your own key, {}", ceiling.to_rfc3339()));
    }
    if at - now > MAX_LIFETIME { Err("must lie within 5 years".to_owned()) } else { Ok(at) }
}

/// The properties of a new key.
struct KeyProperties {
    name: String,
    role: Role,
    scopes: Vec<Scope>,
    expires_at: Option<Time>,
    user_id: Option<UserId>,
    created_by_key: Option<KeyId>,
}

/// A new key that is not stored yet.
struct NewKey {
    key: ApiKey,
    text: String,
    hash: Vec<u8>,
}

impl NewKey {
    fn generate_key(services: &IdentityServices, caller: &Caller, properties: KeyProperties) -> Self {
        let KeyProperties { name, role, scopes, expires_at, user_id, created_by_key } = properties;
        let generated = key::generate_key(&services.pepper, &services.environment);
        let key = ApiKey {
            id: generated.id,
            name,
            prefix: key::public_prefix(&services.environment, generated.id),
            role,
            scopes,
            user_id,
            created_at: services.clock.now(),
            created_by: caller.actor(),
            created_by_key,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            rotated_to: None,
            person_role: None,
        };
        Self { key, text: generated.text, hash: generated.hash }
    }

    /// Inserts the key; ends the transaction.
    async fn insert(self, services: &IdentityServices, caller: &Caller, tx: Tx) -> Result<CreatedKey> {
        let key = self.key;
        let insert = KeyInsert {
            tenant_id: caller.tenant_id,
            id: key.id,
            name: &key.name,
            environment: &services.environment,
            role: key.role,
            secret_hash: &self.hash,
            expires_at: key.expires_at,
            created_at: key.created_at,
            scopes: &key.scopes,
            user_id: key.user_id,
            created_by: key.created_by.clone(),
            created_by_key: key.created_by_key,
        };
        store::insert_key(tx, &insert).await?;
        Ok(CreatedKey { key, secret: self.text })
    }
}

/// The keys that a caller can see: a lead sees all of the tenant, a user its own, and a key without an owner itself.
fn visible_keys(caller: &Caller) -> KeyVisibility {
    match (&caller.principal, caller.role >= Role::Lead) {
        (_, true) => KeyVisibility::All,
        (Principal::Key { id, user_id: None, .. }, false) => KeyVisibility::Single(*id),
        (Principal::Key { user_id: Some(id), .. } | Principal::User { id, .. }, false) => KeyVisibility::OwnedBy(*id),
    }
}

fn can_see(caller: &Caller, key: &ApiKey) -> bool {
    match visible_keys(caller) {
        KeyVisibility::All => true,
        KeyVisibility::OwnedBy(owner) => key.user_id == Some(owner),
        KeyVisibility::Single(id) => key.id == id,
    }
}

/// A page of the keys that the caller can see, newest first.
pub async fn list(
    services: &IdentityServices,
    caller: &Caller,
    before: Option<KeyId>,
    most: i64,
) -> Result<Vec<ApiKey>> {
    store::list_keys(&services.db, caller.tenant_id, visible_keys(caller), before, most).await
}

pub async fn get(services: &IdentityServices, caller: &Caller, id: KeyId) -> Result<ApiKey> {
    let key = store::find_key(&services.db, caller.tenant_id, id).await?;
    if can_see(caller, &key) { Ok(key) } else { Err(store::api_key_not_found(id)) }
}

/// Refuses a caller who may not revoke or rotate a key.
fn check_may_change(caller: &Caller, key: &ApiKey) -> Result<()> {
    if !can_see(caller, key) {
        return Err(store::api_key_not_found(key.id));
    }
    if matches!(visible_keys(caller), KeyVisibility::Single(_)) {
        let detail = "Your key does not belong to a user, so you cannot change it: ask a lead.";
        return Err(Error::new(Code::Forbidden, detail));
    }
    if key.role > caller.role {
        let detail = format!("The key has the role {}, which is above yours.", key.role.name());
        return Err(Error::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// Revokes a key, with `cascade` together with all keys that came from it. They stop working here at once, and
/// everywhere within [`CREDENTIAL_TTL`](super::credential_cache::CREDENTIAL_TTL).
pub async fn revoke(services: &IdentityServices, caller: &Caller, id: KeyId, cascade: bool) -> Result<()> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    let key = store::lock_key(&mut tx, caller.tenant_id, id).await?;
    check_may_change(caller, &key)?;
    let mut ending = if cascade { store::lock_descendants(&mut tx, caller.tenant_id, id).await? } else { Vec::new() };
    if key.revoked_at.is_none() {
        ending.insert(0, key);
    }
    if ending.is_empty() {
        return tx.commit().await;
    }
    let now = services.clock.now();
    for key in &ending {
        audit::record(&mut tx, AuditEntry::new(caller, now, "api_key.revoke", key.id).with_before(audit_view(key)?));
    }
    let ids: Vec<KeyId> = ending.iter().map(|key| key.id).collect();
    store::revoke_keys(tx, &ids, now).await?;
    services.invalidate_caches_after_commit().await;
    Ok(())
}

/// Creates a key that replaces another, which stays valid for the overlap. The new key has the lifetime of the old one,
/// but does not outlive the caller's own key: no key extends its own life.
pub async fn rotate(
    services: &IdentityServices,
    caller: &Caller,
    id: KeyId,
    overlap: Option<i64>,
) -> Result<CreatedKey> {
    let overlap = overlap.unwrap_or(DEFAULT_OVERLAP_SECONDS);
    if !(0..=MAX_OVERLAP_SECONDS).contains(&overlap) {
        return Err(Error::invalid_field("overlap_seconds", format!("must be 0 to {MAX_OVERLAP_SECONDS}")));
    }
    let now = services.clock.now();
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_keys(caller.tenant_id));
    let old = store::lock_key(&mut tx, caller.tenant_id, id).await?;
    check_may_change(caller, &old)?;
    check_ceiling(caller, old.role, &old.scopes)?;
    let for_another = old.user_id.is_some() && old.user_id != own_user_id(caller);
    if for_another && !old.person_role.is_some_and(|role| may_manage(caller.role, role)) {
        return Err(Error::new(Code::Forbidden, "You may rotate only your own keys and keys of users below lead."));
    }
    check_usable(&old, now)?;
    tenants::service::check_new_key(services, &mut tx, caller.tenant_id).await?;
    let new = NewKey::generate_key(services, caller, properties_of_successor(caller, &old, now));
    let until = now + TimeDelta::seconds(overlap);
    let until = old.expires_at.map_or(until, |at| at.min(until));
    let before = serde_json::json!({"expires_at": old.expires_at, "rotated_to": null});
    let after = serde_json::json!({"expires_at": until, "rotated_to": new.key.id});
    audit::record(&mut tx, AuditEntry::new(caller, now, "api_key.rotate", id).with_changes(&before, &after));
    let created = AuditEntry::new(caller, now, "api_key.create", new.key.id);
    audit::record(&mut tx, created.with_after(audit_view(&new.key)?));
    store::replace_key(&mut tx, id, new.key.id, until).await?;
    let created = new.insert(services, caller, tx).await?;
    services.invalidate_caches_after_commit().await;
    Ok(created)
}

fn properties_of_successor(caller: &Caller, old: &ApiKey, now: Time) -> KeyProperties {
    KeyProperties {
        name: old.name.clone(),
        role: old.role,
        scopes: old.scopes.clone(),
        expires_at: earlier(old.expires_at.map(|at| now + (at - old.created_at)), life_of(caller)),
        user_id: old.user_id,
        created_by_key: Some(old.id),
    }
}

/// Refuses a key that was revoked or rotated, or has expired.
fn check_usable(key: &ApiKey, now: Time) -> Result<()> {
    let why = if key.revoked_at.is_some() {
        "The key was revoked."
    } else if key.rotated_to.is_some() {
        "The key was rotated before; rotate the key that replaced it."
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "The key has expired."
    } else {
        return Ok(());
    };
    let current = serde_json::json!({
        "expires_at": key.expires_at, "revoked_at": key.revoked_at, "rotated_to": key.rotated_to,
    });
    Err(Error::new(Code::InvalidTransition, why).with_current(current))
}

/// The fields of a key that the audit log records. The secret is never among them.
fn audit_view(key: &ApiKey) -> Result<Value> {
    let mut value = serde_json::to_value(key)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| ["name", "role", "scopes", "user_id", "expires_at"].contains(&name.as_str()));
    }
    Ok(value)
}
