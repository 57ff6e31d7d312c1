//! The use cases of people: made, changed and removed under one lock per tenant, so that an admin is always left.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit::Entry,
    auth::{self, Caller, Principal, Role, Scope, key::ApiKey, permission::permissions, service::forget},
    error::{Code, Error, Result},
    id::{TenantId, UserId},
    tenant,
    unit::after_commit,
};

use super::{
    Patch, User, check_admin_is_left, check_may_manage,
    store::{self, Filter},
};

/// A person to be made, checked.
pub struct NewUser {
    pub email: String,
    pub full_name: String,
    pub role: Role,
}

/// Makes a person of a role that the caller may give.
pub async fn create(app: &App, caller: &Caller, new: NewUser) -> Result<User> {
    let sent = Patch { email: Some(new.email), full_name: Some(new.full_name), ..Patch::default() }.parse()?;
    check_may_manage(caller, new.role)?;
    let now = app.clock.now();
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
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.audit(Entry::new(caller, now, "user.create", user.id).after(audited(&user)?));
    store::insert(tx, caller.tenant_id, &user).await?;
    Ok(user)
}

pub async fn get(app: &App, caller: &Caller, id: UserId) -> Result<User> {
    store::find(&app.db, caller.tenant_id, id).await
}

pub async fn list(app: &App, caller: &Caller, filter: &Filter, before: Option<UserId>, most: i64) -> Result<Vec<User>> {
    store::list(&app.db, caller.tenant_id, filter, before, most).await
}

/// Changes a person whom the caller may manage, to nothing that the caller may not give. With `version`, only that
/// version of them.
pub async fn patch(app: &App, caller: &Caller, id: UserId, patch: Patch, version: Option<i64>) -> Result<User> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&store::people(caller.tenant_id));
    let (before, others) = store::lock(&mut tx, caller.tenant_id, id).await?;
    check_may_manage(caller, before.role)?;
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale("user", before.version));
    }
    let mut user = before.clone();
    patch.apply(&mut user);
    check_may_manage(caller, user.role)?;
    check_admin_is_left(&before, Some(&user), others)?;
    if user == before {
        tx.commit().await?;
        return Ok(before);
    }
    let now = app.clock.now();
    user.version += 1;
    user.updated_at = now;
    tx.audit(Entry::new(caller, now, "user.update", id).changes(&audited(&before)?, &audited(&user)?));
    store::save(tx, caller.tenant_id, &user).await?;
    forget_after_commit(app).await;
    Ok(user)
}

/// Removes a person whom the caller may manage, with their keys.
pub async fn remove(app: &App, caller: &Caller, id: UserId) -> Result<()> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&store::people(caller.tenant_id));
    let (user, others) = store::lock(&mut tx, caller.tenant_id, id).await?;
    check_may_manage(caller, user.role)?;
    check_admin_is_left(&user, None, others)?;
    tx.audit(Entry::new(caller, app.clock.now(), "user.delete", id).before(audited(&user)?));
    store::delete(tx, caller.tenant_id, id).await?;
    forget_after_commit(app).await;
    Ok(())
}

async fn forget_after_commit(app: &App) {
    let app = app.clone();
    after_commit(async move { forget(&app) }).await;
}

/// Who calls, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The person behind the credential; null for a key of the tenant itself.
    pub user: Option<User>,
    /// The key that was sent; null for a token of a person.
    pub key: Option<ApiKey>,
    /// The tenant that is acted on.
    pub tenant: MyTenant,
    pub role: Role,
    /// What the credential was narrowed to; empty = everything that the role may.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// Everything that may be done, such as `sessions:write`.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<Scope>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MyTenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
}

pub async fn me(app: &App, caller: &Caller) -> Result<Me> {
    let home = caller.home_tenant_id;
    let user = match caller.principal.user_id() {
        Some(id) => Some(store::find(&app.db, home, id).await.map_err(gone)?),
        None => None,
    };
    let key = match &caller.principal {
        Principal::Key { id, .. } => Some(auth::store::key(&app.db, home, *id).await.map_err(gone)?),
        Principal::User { .. } => None,
    };
    let tenant = tenant::store::find(&app.db, caller.tenant_id).await?;
    Ok(Me {
        user,
        key,
        tenant: MyTenant { id: tenant.id, slug: tenant.slug, name: tenant.name },
        role: caller.role,
        scopes: caller.scopes.to_vec(),
        permissions: permissions(caller.role, &caller.scopes),
    })
}

/// Whoever was removed while they were still known here.
fn gone(error: Error) -> Error {
    match error.code() {
        Code::UserNotFound | Code::ApiKeyNotFound => Error::new(Code::Unauthenticated, "The credential is not valid."),
        _ => error,
    }
}

/// What the audit log tells of a person.
fn audited(user: &User) -> Result<Value> {
    let mut value = serde_json::to_value(user)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !["version", "updated_at", "last_seen_at"].contains(&name.as_str()));
    }
    Ok(value)
}
