//! SQL of people who come with tokens.

use tokio_postgres::Row;

use crate::{
    auth::{Role, store::role},
    clock::Time,
    db::{Db, OnConstraint, Tx},
    error::{Code, Error, Result},
    id::{TenantId, UserId},
};

/// A user, as a login sees it.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) is_active: bool,
    /// Whether an issuer's subject belongs to it already.
    pub(super) is_linked: bool,
    pub(super) last_seen_at: Option<Time>,
}

impl User {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("full_name")?,
            role: role(row.try_get("role")?)?,
            is_active: row.try_get("is_active")?,
            is_linked: row.try_get("is_linked")?,
            last_seen_at: row.try_get("last_seen_at")?,
        })
    }

    fn first(rows: &[Row]) -> Result<Option<Self>> {
        rows.first().map(Self::read).transpose()
    }
}

/// Who somebody is to the issuer.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) tenant_id: TenantId,
    pub(super) issuer: &'a str,
    pub(super) id: &'a str,
}

const BY_SUBJECT: &str =
    "select id, full_name, role, is_active, subject is not null as is_linked, last_seen_at from users
    where tenant_id = $1 and issuer = $2 and subject = $3";

/// The user whose subject it is.
pub(super) async fn find(db: &Db, of: Subject<'_>) -> Result<Option<User>> {
    User::first(&db.read(of.tenant_id, BY_SUBJECT, &[&of.tenant_id, &of.issuer, &of.id]).await?)
}

/// What a first login is decided on.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    pub(super) by_subject: Option<User>,
    pub(super) by_email: Option<User>,
    pub(super) signup: bool,
    pub(super) signup_role: Role,
}

/// Reads who may be meant, while no other first login of the tenant goes on.
pub(super) async fn candidates(tx: &mut Tx, of: Subject<'_>, email: Option<&str>) -> Result<Candidates> {
    tx.lock(&format!("login:{}", of.tenant_id));
    let by_email = "select id, full_name, role, is_active, subject is not null as is_linked, last_seen_at from users
                    where tenant_id = $1 and email = $2";
    let answers = tx
        .query_all(&[
            (BY_SUBJECT, &[&of.tenant_id, &of.issuer, &of.id]),
            (by_email, &[&of.tenant_id, &email]),
            ("select signup, signup_role from tenants where id = $1", &[&of.tenant_id]),
        ])
        .await?;
    let tenant = answers[2].first().ok_or_else(|| Error::internal("the tenant went away"))?;
    Ok(Candidates {
        by_subject: User::first(&answers[0])?,
        by_email: User::first(&answers[1])?,
        signup: tenant.try_get("signup")?,
        signup_role: role(tenant.try_get("signup_role")?)?,
    })
}

/// Notes whom the issuer means by a user that had no subject; ends the transaction.
pub(super) async fn link(tx: Tx, of: Subject<'_>, id: UserId, now: Time) -> Result<()> {
    tx.finish(
        "update users set issuer = $3, subject = $4, last_seen_at = $5, updated_at = $5, version = version + 1
         where tenant_id = $1 and id = $2",
        &[&of.tenant_id, &id, &of.issuer, &of.id, &now],
    )
    .await?;
    Ok(())
}

/// Adds a user; ends the transaction. An address that somebody took meanwhile is `ALREADY_EXISTS`.
pub(super) async fn insert(tx: Tx, of: Subject<'_>, user: &User, email: &str, now: Time) -> Result<()> {
    tx.finish(
        "insert into users (tenant_id, id, email, full_name, role, issuer, subject, last_seen_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)",
        &[&of.tenant_id, &user.id, &email, &user.name, &user.role.name(), &of.issuer, &of.id, &now],
    )
    .await
    .on_constraint("users_email", || Error::new(Code::AlreadyExists, "Somebody has this address."))?;
    Ok(())
}

/// Notes when somebody was last there.
pub(super) async fn note_visit(db: &Db, tenant_id: TenantId, id: UserId, at: Time) -> Result<()> {
    let sql = "update users set last_seen_at = $3
               where tenant_id = $1 and id = $2 and (last_seen_at is null or last_seen_at < $3)";
    db.tenant(tenant_id).await?.finish(sql, &[&tenant_id, &id, &at]).await?;
    Ok(())
}
