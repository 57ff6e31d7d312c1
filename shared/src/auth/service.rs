//! Letting callers in: a key is looked up once and then known for a few seconds, so that a call costs no round trip for it.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    app::App,
    audit::By,
    clock::Time,
    error::{Code, Error, Result},
    id::{AgentId, AgentTokenId, KeyId, TenantId},
};

use super::{
    Actor, ActorKind, Caller, Principal, Role, Scope,
    key::{self, Pepper, Presented},
    oidc::{login, token},
    store::{self, KnownAgentToken, KnownKey, NamedTenant},
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
    agents: Cache<KeyId, Arc<KnownAgentToken>>,
    tenants: Cache<String, NamedTenant>,
    /// When the use of a key was last noted by this process.
    noted: Cache<KeyId, Time>,
}

impl Keys {
    pub fn new(pepper: Pepper, environment: String) -> Self {
        Self {
            pepper,
            environment,
            known: Cache::builder().max_capacity(10_000).time_to_live(KNOWN_FOR).build(),
            agents: Cache::builder().max_capacity(10_000).time_to_live(KNOWN_FOR).build(),
            tenants: Cache::builder().max_capacity(1_000).time_to_live(KNOWN_FOR).build(),
            noted: Cache::builder().max_capacity(10_000).time_to_live(USE_NOTED_EVERY).build(),
        }
    }
}

/// How old what is noted of a key's last use may be before it is noted again.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);

/// What a request says of who sends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `X-Agent-Token` header.
    pub agent_token: Option<&'a str>,
    /// The `X-Tenant-ID` header: a uuid or a slug.
    pub tenant: Option<&'a str>,
}

/// What is known of a call beside its credentials.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub request_id: Arc<str>,
    /// The network address that it came from.
    pub address: Option<Arc<str>>,
}

/// Who calls: a person or a program with a role, or an agent.
#[derive(Clone, Debug)]
pub enum Identity {
    Caller(Caller),
    Agent(AgentCaller),
}

/// An agent outside of the platform. It has no role: it reaches the endpoints of agents and nothing else.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    pub tenant_id: TenantId,
    pub agent_id: AgentId,
    pub token_id: AgentTokenId,
    pub name: String,
    pub request_id: Arc<str>,
    pub address: Option<Arc<str>>,
}

impl From<&AgentCaller> for By {
    fn from(caller: &AgentCaller) -> Self {
        let actor = Actor { kind: ActorKind::Agent, id: caller.agent_id.to_string(), name: caller.name.clone() };
        Self { actor, request_id: Some(caller.request_id.clone()), address: caller.address.clone() }
    }
}

/// A credential that was found to be good, whatever kind it is.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub tenant_id: TenantId,
    pub tenant_slug: String,
    pub tenant_active: bool,
    pub role: Role,
    pub scopes: Arc<[Scope]>,
    pub principal: Principal,
}

/// Who calls, for which tenant; or why the call is refused.
pub async fn identify(app: &App, credentials: Credentials<'_>, call: Call) -> Result<Identity> {
    let text = credential(credentials)?;
    if credentials.agent_token.is_some() || text.starts_with(key::AGENT_PREFIX) {
        return agent(app, text, credentials.tenant, call).await.map(Identity::Agent);
    }
    let known = if token::looks_like_one(text) {
        Box::pin(login::by_token(app, text, &call)).await?
    } else {
        known_key(app, text).await?
    };
    let tenant = match credentials.tenant {
        None => None,
        Some(named) => acting_tenant(app, &known, named).await?,
    };
    let (tenant_id, active) = tenant.map_or((known.tenant_id, known.tenant_active), |t| (t.id, t.is_active));
    if !known.tenant_active || !active {
        return Err(inactive());
    }
    Ok(Identity::Caller(Caller {
        tenant_id,
        home_tenant_id: known.tenant_id,
        role: known.role,
        scopes: known.scopes,
        principal: known.principal,
        request_id: call.request_id,
        address: call.address,
    }))
}

/// Refuses a caller whose role is below `needed`.
pub fn require(caller: &Caller, needed: Role) -> Result<()> {
    if caller.role >= needed {
        return Ok(());
    }
    let detail = format!("This needs the role {} or more; yours is {}.", needed.name(), caller.role.name());
    Err(Error::new(Code::Forbidden, detail))
}

/// Refuses a caller whose credential was narrowed to other scopes.
pub fn require_scope(caller: &Caller, needed: Scope) -> Result<()> {
    if caller.scopes.is_empty() || caller.scopes.iter().any(|scope| scope.allows(needed)) {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden, format!("Your credential does not have the scope {needed}.")))
}

fn refused(why: &str) -> Error {
    Error::new(Code::Unauthenticated, why)
}

/// The same words for every way in which a credential can be wrong: nobody learns which ones exist.
pub(super) fn wrong() -> Error {
    refused("The credential is not valid.")
}

pub(super) fn inactive() -> Error {
    Error::new(Code::TenantInactive, "This tenant is deactivated.")
}

/// The one credential of a request.
fn credential(credentials: Credentials<'_>) -> Result<&str> {
    match (credentials.authorization, credentials.agent_token) {
        (Some(_), Some(_)) => Err(refused("Two credentials were sent: Authorization and X-Agent-Token.")),
        (None, Some(token)) => Ok(token.trim()),
        (None, None) => Err(refused("No credential was sent.")),
        (Some(header), None) => match header.split_once(' ') {
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => Ok(text.trim()),
            _ => Err(refused("The Authorization header is not a Bearer credential.")),
        },
    }
}

async fn known_key(app: &App, text: &str) -> Result<Known> {
    let presented = Presented::parse(text).ok_or_else(wrong)?;
    let now = app.clock.now();
    let known = if let Some(known) = app.keys.known.get(&presented.id) {
        known
    } else {
        let known = Arc::new(store::find_key(&app.db, presented.id).await?.ok_or_else(wrong)?);
        app.keys.known.insert(presented.id, known.clone());
        known
    };
    let alive = known.revoked_at.is_none_or(|at| at > now) && known.expires_at.is_none_or(|at| at > now);
    let owner = known.owner.as_ref();
    if presented.environment != known.environment
        || !presented.matches(&app.keys.pepper, &known.secret_hash)
        || !alive
        || !owner.is_none_or(|owner| owner.is_active)
    {
        return Err(wrong());
    }
    note_use(app, presented.id, &known, now).await;
    Ok(Known {
        tenant_id: known.tenant_id,
        tenant_slug: known.tenant_slug.clone(),
        tenant_active: known.tenant_active,
        role: owner.map_or(known.role, |owner| owner.role.min(known.role)),
        scopes: known.scopes.clone(),
        principal: Principal::Key { id: presented.id, name: known.name.clone(), user_id: owner.map(|owner| owner.id) },
    })
}

/// Notes that a key was used, now and then; a note that cannot be written is no reason to refuse the call.
async fn note_use(app: &App, id: KeyId, known: &KnownKey, now: Time) {
    let noted = app.keys.noted.get(&id).or(known.last_used_at);
    if noted.is_some_and(|at| (now - at).to_std().is_ok_and(|age| age < USE_NOTED_EVERY)) {
        return;
    }
    app.keys.noted.insert(id, now);
    if let Err(error) = store::note_use(&app.db, id, now).await {
        tracing::warn!(?error, "the last use of a key was not noted");
    }
}

async fn agent(app: &App, text: &str, tenant: Option<&str>, call: Call) -> Result<AgentCaller> {
    let presented = Presented::parse_agent(text).ok_or_else(wrong)?;
    let known = if let Some(known) = app.keys.agents.get(&presented.id) {
        known
    } else {
        let known = Arc::new(store::find_agent_token(&app.db, AgentTokenId(presented.id.0)).await?.ok_or_else(wrong)?);
        app.keys.agents.insert(presented.id, known.clone());
        known
    };
    let alive = known.expires_at.is_none_or(|at| at > app.clock.now());
    if presented.environment != known.environment || !presented.matches(&app.keys.pepper, &known.secret_hash) || !alive
    {
        return Err(wrong());
    }
    if tenant.is_some_and(|named| named != known.tenant_slug && named.parse() != Ok(known.tenant_id)) {
        return Err(Error::new(Code::TenantMismatch, "X-Tenant-ID does not name the tenant of your credential."));
    }
    if !known.tenant_active {
        return Err(inactive());
    }
    Ok(AgentCaller {
        tenant_id: known.tenant_id,
        agent_id: known.agent_id,
        token_id: AgentTokenId(presented.id.0),
        name: known.agent_name.clone(),
        request_id: call.request_id,
        address: call.address,
    })
}

/// The tenant that `X-Tenant-ID` names: the caller's own, or for an admin any.
async fn acting_tenant(app: &App, known: &Known, named: &str) -> Result<Option<NamedTenant>> {
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

/// Forgets what is known here of keys, tokens, people and tenants, after a change to any of them. Other processes forget within
/// [`KNOWN_FOR`].
pub(crate) fn forget(app: &App) {
    app.keys.known.invalidate_all();
    app.keys.agents.invalidate_all();
    app.keys.tenants.invalidate_all();
    app.limiter().forget();
    app.oidc.forget();
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
        scopes: &[],
        user_id: None,
        created_by: Actor::system("setup"),
    };
    store::insert_key(app.db.tenant(tenant_id).await?, &new).await?;
    Ok((minted.id, minted.text))
}

/// Revokes a key; it stops working here at once and everywhere within [`KNOWN_FOR`].
pub async fn revoke(app: &App, tenant_id: TenantId, id: KeyId) -> Result<bool> {
    let done = store::revoke_key(app.db.tenant(tenant_id).await?, id, app.clock.now()).await?;
    forget(app);
    Ok(done)
}
