//! The use cases of users. Changes are made under one lock per tenant, so that a tenant never loses its last admin.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    identity::services::IdentityServices,
    identity::{
        audit::{self, AuditEntry},
        auth::{self, Caller, Principal, Role, Scope, key::ApiKey, permission::permissions},
        tenants,
    },
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{TenantId, UserId},
    },
    platform::postgres::Tx,
};

use super::{
    User, UserChanges, check_admin_is_left, check_may_manage,
    store::{self, UserFilter},
};

/// The input to create a user.
pub struct UserInput {
    pub email: String,
    pub full_name: String,
    pub role: Role,
}

/// Creates a user with a role that the caller may assign.
pub async fn create(services: &IdentityServices, caller: &Caller, new: UserInput) -> Result<User> {
    let sent =
        UserChanges { email: Some(new.email), full_name: Some(new.full_name), ..UserChanges::default() }.validate()?;
    check_may_manage(caller, new.role)?;
    let now = services.clock.now();
    let mut user = User {
        id: UserId::new(),
        email: String::new(),
        full_name: String::new(),
        role: new.role,
        is_active: true,
        last_seen_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    sent.apply(&mut user);
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    audit::record(&mut tx, AuditEntry::new(caller, now, "user.create", user.id).with_after(audit_view(&user)?));
    store::insert_user(tx, caller.tenant_id, &user).await?;
    Ok(user)
}

pub async fn get(services: &IdentityServices, caller: &Caller, id: UserId) -> Result<User> {
    store::find_user(&services.db, caller.tenant_id, id).await
}

pub async fn list(
    services: &IdentityServices,
    caller: &Caller,
    filter: &UserFilter,
    before: Option<UserId>,
    most: i64,
) -> Result<Vec<User>> {
    store::list_users(&services.db, caller.tenant_id, filter, before, most).await
}

/// Changes a user whom the caller may manage, before and after the change. With `version`, only if the user still has
/// that version.
pub async fn update(
    services: &IdentityServices,
    caller: &Caller,
    id: UserId,
    patch: UserChanges,
    version: Option<i64>,
) -> Result<User> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&store::lock_name(caller.tenant_id));
    let (before, others) = store::lock_user(&mut tx, caller.tenant_id, id).await?;
    check_may_manage(caller, before.role)?;
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale_version("user", before.version));
    }
    let mut user = before.clone();
    patch.apply(&mut user);
    check_may_manage(caller, user.role)?;
    check_admin_is_left(&before, Some(&user), others)?;
    if user == before {
        tx.commit().await?;
        return Ok(before);
    }
    let now = services.clock.now();
    user.version += 1;
    user.updated_at = now;
    audit::record(
        &mut tx,
        AuditEntry::new(caller, now, "user.update", id).with_changes(&audit_view(&before)?, &audit_view(&user)?),
    );
    if let Some(loss) = AgentLoss::of(&before, &user) {
        suspend_agents(&mut tx, caller, &user, loss, now).await?;
    }
    store::update_user(tx, caller.tenant_id, &user).await?;
    services.invalidate_caches_after_commit().await;
    Ok(user)
}

/// Deletes a user whom the caller may manage, with the user's keys.
pub async fn delete(services: &IdentityServices, caller: &Caller, id: UserId) -> Result<()> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&store::lock_name(caller.tenant_id));
    let (user, others) = store::lock_user(&mut tx, caller.tenant_id, id).await?;
    check_may_manage(caller, user.role)?;
    check_admin_is_left(&user, None, others)?;
    let now = services.clock.now();
    audit::record(&mut tx, AuditEntry::new(caller, now, "user.delete", id).with_before(audit_view(&user)?));
    suspend_agents(&mut tx, caller, &user, AgentLoss::All, now).await?;
    store::delete(tx, caller.tenant_id, id).await?;
    services.invalidate_caches_after_commit().await;
    Ok(())
}

/// What a person who ends or loses a role loses of the agents that they registered and that no lead trusts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AgentLoss {
    /// The agents take only the person's own sessions.
    SessionsOfOthers,
    /// The agents are suspended, and their tokens end.
    All,
}

impl AgentLoss {
    fn of(before: &User, after: &User) -> Option<Self> {
        let is_ended = before.is_active && !after.is_active;
        match after.role {
            Role::Viewer if before.role > Role::Viewer => Some(Self::All),
            _ if is_ended => Some(Self::All),
            Role::Member if before.role > Role::Member => Some(Self::SessionsOfOthers),
            _ => None,
        }
    }
}

async fn suspend_agents(tx: &mut Tx, caller: &Caller, user: &User, loss: AgentLoss, now: Time) -> Result<()> {
    let restrict_only = loss == AgentLoss::SessionsOfOthers;
    for (id, name) in store::suspend_agents(tx, user.id, restrict_only, now).await? {
        let verb = if restrict_only { "agent.restrict" } else { "agent.suspend" };
        let after = serde_json::json!({"name": name, "registered_by": user.id});
        audit::record(tx, AuditEntry::new(caller, now, verb, id).with_after(after));
    }
    Ok(())
}

/// The caller and its permissions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The user; null for a key of the tenant.
    pub user: Option<User>,
    /// The id of the API key; null for a token of an issuer.
    pub key: Option<ApiKey>,
    /// The tenant of the request.
    pub tenant: MyTenant,
    /// The role of the caller.
    pub role: Role,
    /// The scopes that the credential is limited to; empty means all that the role permits.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// All scopes that the caller has, such as `sessions:write`.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<Scope>,
}

/// The tenant of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyTenant {
    /// The id of the tenant.
    pub id: TenantId,
    /// The slug of the tenant.
    pub slug: String,
    /// The name of the tenant.
    pub name: String,
}

pub async fn get_me(services: &IdentityServices, caller: &Caller) -> Result<Me> {
    let home = caller.home_tenant_id;
    let user = match caller.principal.user_id() {
        Some(id) => Some(store::find_user(&services.db, home, id).await.map_err(invalid_if_deleted)?),
        None => None,
    };
    let key = match &caller.principal {
        Principal::Key { id, .. } => {
            Some(auth::store::find_key(&services.db, home, *id).await.map_err(invalid_if_deleted)?)
        }
        Principal::User { .. } => None,
    };
    let tenant = tenants::store::find_tenant(&services.db, caller.tenant_id).await?;
    Ok(Me {
        user,
        key,
        tenant: MyTenant { id: tenant.id, slug: tenant.slug, name: tenant.name },
        role: caller.role,
        scopes: caller.scopes.to_vec(),
        permissions: permissions(caller.role, &caller.scopes),
    })
}

/// Reports a user or key that was deleted while it was still cached as an invalid credential.
fn invalid_if_deleted(error: Error) -> Error {
    match error.code() {
        Code::UserNotFound | Code::ApiKeyNotFound => Error::new(Code::Unauthenticated, "The credential is not valid."),
        _ => error,
    }
}

/// The fields of a user that the audit log records.
fn audit_view(user: &User) -> Result<Value> {
    let mut value = serde_json::to_value(user)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !["version", "updated_at", "last_seen_at"].contains(&name.as_str()));
    }
    Ok(value)
}
