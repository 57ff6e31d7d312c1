//! SQL of users.

use tokio_postgres::{Row, types::ToSql};

use crate::{
    identity::auth::{Role, store::parse_role},
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, TenantId, UserId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

use super::User;

const COLUMNS: &str = "id, email, full_name, role, is_active, last_seen_at, version, created_at, updated_at";

fn read_user(row: &Row) -> Result<User> {
    Ok(User {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        full_name: row.try_get("full_name")?,
        role: parse_role(row.try_get("role")?)?,
        is_active: row.try_get("is_active")?,
        last_seen_at: row.try_get("last_seen_at")?,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

#[track_caller]
fn not_found(id: UserId) -> Error {
    Error::new(Code::UserNotFound, format!("There is no user {id}."))
}

/// The name of the lock that serializes changes of a tenant's users.
pub fn lock_name(tenant_id: TenantId) -> String {
    format!("people:{tenant_id}")
}

/// Inserts a user; ends the transaction. An e-mail address that is in use in the tenant fails with `ALREADY_EXISTS`.
pub async fn insert_user(tx: Tx, tenant_id: TenantId, user: &User) -> Result<()> {
    let sql = "insert into users (tenant_id, id, email, full_name, role, is_active, created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $7)";
    let params: [&(dyn ToSql + Sync); 7] =
        [&tenant_id, &user.id, &user.email, &user.full_name, &user.role.name(), &user.is_active, &user.created_at];
    tx.query_and_commit(sql, &params).await.on_constraint("users_email", || email_in_use(user))?;
    Ok(())
}

fn email_in_use(user: &User) -> Error {
    Error::new(Code::AlreadyExists, format!("The tenant already has a user {}.", user.email))
}

pub async fn find_user(db: &Db, tenant_id: TenantId, id: UserId) -> Result<User> {
    let sql = format!("select {COLUMNS} from users where tenant_id = $1 and id = $2");
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &id]).await?;
    rows.first().map(read_user).transpose()?.ok_or_else(|| not_found(id))
}

/// Reads a user, locks it until the end of the transaction, and counts the other active admins.
pub async fn lock_user(tx: &mut Tx, tenant_id: TenantId, id: UserId) -> Result<(User, i64)> {
    let sql = format!("select {COLUMNS} from users where tenant_id = $1 and id = $2 for no key update");
    let others =
        "select count(*) as others from users where tenant_id = $1 and id <> $2 and role = 'admin' and is_active";
    let answers = tx.query_all(&[(&sql, &[&tenant_id, &id]), (others, &[&tenant_id, &id])]).await?;
    let user = answers[0].first().map(read_user).transpose()?.ok_or_else(|| not_found(id))?;
    let others = answers[1].first().map_or(Ok(0), |row| row.try_get("others"))?;
    Ok((user, others))
}

/// Writes a user that this transaction has locked; ends it.
pub async fn update_user(tx: Tx, tenant_id: TenantId, user: &User) -> Result<()> {
    let sql = "update users set email = $3, full_name = $4, role = $5, is_active = $6, version = $7, updated_at = $8
               where tenant_id = $1 and id = $2";
    let params: [&(dyn ToSql + Sync); 8] = [
        &tenant_id,
        &user.id,
        &user.email,
        &user.full_name,
        &user.role.name(),
        &user.is_active,
        &user.version,
        &user.updated_at,
    ];
    tx.query_and_commit(sql, &params).await.on_constraint("users_email", || email_in_use(user))?;
    Ok(())
}

/// Whether a person is still there, active, and more than a viewer, so that their agents may work.
pub async fn may_have_agents(tx: &mut Tx, id: UserId) -> Result<bool> {
    let sql = "select 1 from users where tenant_id = app_tenant_id() and id = $1 and is_active and role <> 'viewer'";
    Ok(tx.query_opt(sql, &[&id]).await?.is_some())
}

/// Takes the agents of a person who ends, or with `restrict_only` of one who loses the role lead: those that no lead
/// trusts. Returns their ids and names.
pub async fn suspend_agents(tx: &mut Tx, id: UserId, restrict_only: bool, now: Time) -> Result<Vec<(AgentId, String)>> {
    let sql = "select agent_id, agent_name from suspend_agents_of($1, $2, $3)";
    let rows = tx.query(sql, &[&id, &restrict_only, &now]).await?;
    rows.iter().map(|row| Ok((row.try_get("agent_id")?, row.try_get("agent_name")?))).collect()
}

/// Deletes a user and its keys; ends the transaction.
pub async fn delete(tx: Tx, tenant_id: TenantId, id: UserId) -> Result<()> {
    tx.query_and_commit("delete from users where tenant_id = $1 and id = $2", &[&tenant_id, &id]).await?;
    Ok(())
}

/// Selects users: all conditions that are present must hold.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// One of these roles; empty = all.
    pub role: Vec<Role>,
    pub is_active: Option<bool>,
    /// A part of the e-mail address or the name.
    pub q: Option<String>,
}

/// A page of a tenant's users created before `before`, newest first.
pub async fn list_users(
    db: &Db,
    tenant_id: TenantId,
    filter: &UserFilter,
    before: Option<UserId>,
    most: i64,
) -> Result<Vec<User>> {
    let sql = format!(
        "select {COLUMNS} from users
         where tenant_id = $1 and ($2::uuid is null or id < $2) and (cardinality($3::text[]) = 0 or role = any($3))
           and ($4::boolean is null or is_active = $4)
           and ($5::text is null or strpos(email, lower($5)) > 0 or strpos(lower(full_name), lower($5)) > 0)
         order by id desc limit $6"
    );
    let roles: Vec<_> = filter.role.iter().map(|role| role.name()).collect();
    let params: [&(dyn ToSql + Sync); 6] = [&tenant_id, &before, &roles, &filter.is_active, &filter.q, &most];
    db.read(tenant_id, &sql, &params).await?.iter().map(read_user).collect()
}
