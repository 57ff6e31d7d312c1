//! Letting callers in: a key is looked up once and then known for a few seconds, so that a call costs no round trip for it.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    app::App,
    clock::Time,
    error::{Code, Error, Result},
    id::{KeyId, TenantId},
};

use super::{
    Caller, Role,
    key::{self, Pepper, Presented},
    store::{self, KnownKey, NamedTenant},
};

/// How long a key is believed to be as it was read: the longest that a revocation takes to work everywhere.
pub const KNOWN_FOR: Duration = Duration::from_secs(5);

/// The pepper, and the keys and tenants seen of late.
#[derive(Clone)]
pub struct Keys {
    pub pepper: Pepper,
    /// What minted keys say of where they belong, such as `prod` or `local`.
    pub environment: String,
    known: Cache<KeyId, Arc<KnownKey>>,
    tenants: Cache<String, NamedTenant>,
}

impl Keys {
    pub fn new(pepper: Pepper, environment: String) -> Self {
        let tenants = Cache::builder().max_capacity(1_000).time_to_live(KNOWN_FOR).build();
        Self {
            pepper,
            environment,
            known: Cache::builder().max_capacity(10_000).time_to_live(KNOWN_FOR).build(),
            tenants,
        }
    }
}

/// What a request says of who sends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `X-Tenant-ID` header: a uuid or a slug.
    pub tenant: Option<&'a str>,
}

/// Who calls, for which tenant; or why the call is refused.
pub async fn identify(app: &App, credentials: Credentials<'_>, request_id: Arc<str>) -> Result<Caller> {
    let (id, known) = known_key(app, credentials.authorization).await?;
    let tenant = match credentials.tenant {
        None => None,
        Some(named) => acting_tenant(app, &known, named).await?,
    };
    let (tenant_id, active) = tenant.map_or((known.tenant_id, known.tenant_active), |t| (t.id, t.is_active));
    if !active {
        return Err(Error::new(Code::TenantInactive, "This tenant is deactivated."));
    }
    Ok(Caller { tenant_id, role: known.role, key_id: id, name: known.name.clone(), request_id })
}

/// Refuses a caller whose role is below `needed`.
pub fn require(caller: &Caller, needed: Role) -> Result<()> {
    if caller.role >= needed {
        return Ok(());
    }
    let detail = format!("This needs the role {} or more; yours is {}.", needed.name(), caller.role.name());
    Err(Error::new(Code::Forbidden, detail))
}

async fn known_key(app: &App, authorization: Option<&str>) -> Result<(KeyId, Arc<KnownKey>)> {
    let refused = |why: &str| Error::new(Code::Unauthenticated, why);
    let header = authorization.ok_or_else(|| refused("No credential was sent."))?;
    let text = match header.split_once(' ') {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => text.trim(),
        _ => return Err(refused("The Authorization header is not a Bearer credential.")),
    };
    // The same words for every way in which a key can be wrong: nobody learns which keys exist.
    let wrong = || refused("The credential is not valid.");
    let presented = Presented::parse(text).ok_or_else(wrong)?;
    let known = if let Some(known) = app.keys.known.get(&presented.id) {
        known
    } else {
        let known = Arc::new(store::find_key(&app.db, presented.id).await?.ok_or_else(wrong)?);
        app.keys.known.insert(presented.id, known.clone());
        known
    };
    let now = app.clock.now();
    let alive = known.revoked_at.is_none_or(|at| at > now) && known.expires_at.is_none_or(|at| at > now);
    if presented.environment != known.environment || !presented.matches(&app.keys.pepper, &known.secret_hash) || !alive
    {
        return Err(wrong());
    }
    Ok((presented.id, known))
}

/// The tenant that `X-Tenant-ID` names: the caller's own, or for an admin any.
async fn acting_tenant(app: &App, known: &KnownKey, named: &str) -> Result<Option<NamedTenant>> {
    let named = named.trim();
    let is_id = named.parse::<TenantId>().is_ok();
    let is_slug = (2..=50).contains(&named.len())
        && named.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_id && !is_slug {
        return Err(Error::new(Code::TenantInvalid, "X-Tenant-ID is neither a uuid nor a slug."));
    }
    let named = if is_id { named.to_ascii_lowercase() } else { named.to_owned() };
    if named == known.tenant_slug || named.parse() == Ok(known.tenant_id) {
        return Ok(None);
    }
    if known.role != Role::Admin {
        return Err(Error::new(Code::TenantMismatch, "X-Tenant-ID does not name the tenant of your credential."));
    }
    if let Some(tenant) = app.keys.tenants.get(&named) {
        return Ok(Some(tenant));
    }
    let tenant = store::find_tenant(&app.db, &named)
        .await?
        .ok_or_else(|| Error::new(Code::TenantNotFound, "There is no such tenant."))?;
    app.keys.tenants.insert(named, tenant.clone());
    Ok(Some(tenant))
}

/// A key to be made.
pub struct KeyRequest<'a> {
    pub name: &'a str,
    pub role: Role,
    pub expires_at: Option<Time>,
}

/// Makes a key of a tenant. The text is answered here and never again.
pub async fn issue(app: &App, tenant_id: TenantId, request: &KeyRequest<'_>) -> Result<(KeyId, String)> {
    let minted = key::mint(&app.keys.pepper, &app.keys.environment);
    let new = store::NewKey {
        tenant_id,
        id: minted.id,
        name: request.name,
        environment: &app.keys.environment,
        role: request.role,
        secret_hash: &minted.hash,
        expires_at: request.expires_at,
        created_at: app.clock.now(),
    };
    store::insert_key(app.db.tenant(tenant_id).await?, &new).await?;
    Ok((minted.id, minted.text))
}

/// Revokes a key; it stops working here at once and everywhere within [`KNOWN_FOR`].
pub async fn revoke(app: &App, tenant_id: TenantId, id: KeyId) -> Result<bool> {
    let done = store::revoke_key(app.db.tenant(tenant_id).await?, id, app.clock.now()).await?;
    app.keys.known.invalidate(&id);
    Ok(done)
}
