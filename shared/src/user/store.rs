//! SQL of people. Decides nothing.

use tokio_postgres::{Row, types::ToSql};

use crate::{
    auth::{Role, store::role},
    db::{Db, OnConstraint, Tx},
    error::{Code, Error, Result},
    id::{TenantId, UserId},
};

use super::User;

const COLUMNS: &str = "id, email, full_name, role, is_active, last_seen_at, version, created_at, updated_at";

fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        full_name: row.try_get("full_name")?,
        role: role(row.try_get("role")?)?,
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

/// The name under which the decisions about who is admin take turns.
pub fn people(tenant_id: TenantId) -> String {
    format!("people:{tenant_id}")
}

/// Writes a new person. An e-mail that the tenant knows is `ALREADY_EXISTS`.
pub async fn insert(tx: Tx, tenant_id: TenantId, user: &User) -> Result<()> {
    let sql = "insert into users (tenant_id, id, email, full_name, role, is_active, created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $7)";
    let params: [&(dyn ToSql + Sync); 7] =
        [&tenant_id, &user.id, &user.email, &user.full_name, &user.role.name(), &user.is_active, &user.created_at];
    tx.finish(sql, &params).await.on_constraint("users_email", || taken(user))?;
    Ok(())
}

fn taken(user: &User) -> Error {
    Error::new(Code::AlreadyExists, format!("The tenant has a user {} already.", user.email))
}

pub async fn find(db: &Db, tenant_id: TenantId, id: UserId) -> Result<User> {
    let sql = format!("select {COLUMNS} from users where tenant_id = $1 and id = $2");
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &id]).await?;
    rows.first().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// Reads a person, keeps them from changing until the end of the transaction, and counts the other active admins.
pub async fn lock(tx: &mut Tx, tenant_id: TenantId, id: UserId) -> Result<(User, i64)> {
    let sql = format!("select {COLUMNS} from users where tenant_id = $1 and id = $2 for no key update");
    let others =
        "select count(*) as others from users where tenant_id = $1 and id <> $2 and role = 'admin' and is_active";
    let answers = tx.query_all(&[(&sql, &[&tenant_id, &id]), (others, &[&tenant_id, &id])]).await?;
    let user = answers[0].first().map(read).transpose()?.ok_or_else(|| not_found(id))?;
    let others = answers[1].first().map_or(Ok(0), |row| row.try_get("others"))?;
    Ok((user, others))
}

/// Writes a person who was locked in this transaction.
pub async fn save(tx: Tx, tenant_id: TenantId, user: &User) -> Result<()> {
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
    tx.finish(sql, &params).await.on_constraint("users_email", || taken(user))?;
    Ok(())
}

/// Removes a person and their keys.
pub async fn delete(tx: Tx, tenant_id: TenantId, id: UserId) -> Result<()> {
    tx.finish("delete from users where tenant_id = $1 and id = $2", &[&tenant_id, &id]).await?;
    Ok(())
}

/// Which people are wanted; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of them; none = all.
    pub role: Vec<Role>,
    pub is_active: Option<bool>,
    /// A fragment of the e-mail or the name.
    pub q: Option<String>,
}

/// A page of a tenant's people, newest first, made before `before`.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    filter: &Filter,
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
    db.read(tenant_id, &sql, &params).await?.iter().map(read).collect()
}
