//! SQL of users who log in with tokens.

use tokio_postgres::Row;

use crate::{
    identity::auth::{Role, store::parse_role},
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{TenantId, UserId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

/// A user, as a login reads it.
#[derive(Clone, Debug)]
pub(super) struct LoginUser {
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) is_active: bool,
    /// Whether the user is already linked to a subject of an issuer.
    pub(super) is_linked: bool,
    pub(super) last_seen_at: Option<Time>,
}

impl LoginUser {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("full_name")?,
            role: parse_role(row.try_get("role")?)?,
            is_active: row.try_get("is_active")?,
            is_linked: row.try_get("is_linked")?,
            last_seen_at: row.try_get("last_seen_at")?,
        })
    }

    fn read_first(rows: &[Row]) -> Result<Option<Self>> {
        rows.first().map(Self::read).transpose()
    }
}

/// A user's subject at an issuer.
#[derive(Clone, Copy)]
pub(super) struct IssuerSubject<'a> {
    pub(super) tenant_id: TenantId,
    pub(super) issuer: &'a str,
    pub(super) id: &'a str,
}

const BY_SUBJECT: &str =
    "select id, full_name, role, is_active, subject is not null as is_linked, last_seen_at from users
    where tenant_id = $1 and issuer = $2 and subject = $3";

/// The user who is linked to a subject.
pub(super) async fn find_by_subject(db: &Db, of: IssuerSubject<'_>) -> Result<Option<LoginUser>> {
    LoginUser::read_first(&db.read(of.tenant_id, BY_SUBJECT, &[&of.tenant_id, &of.issuer, &of.id]).await?)
}

/// The facts on which a first login is decided.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    pub(super) by_subject: Option<LoginUser>,
    pub(super) by_email: Option<LoginUser>,
    pub(super) signup: bool,
    pub(super) signup_role: Role,
}

/// Reads the candidates of a first login, and locks out other first logins of the tenant until the transaction ends.
pub(super) async fn find_candidates(tx: &mut Tx, of: IssuerSubject<'_>, email: Option<&str>) -> Result<Candidates> {
    tx.take_lock(&format!("login:{}", of.tenant_id));
    let by_email = "select id, full_name, role, is_active, subject is not null as is_linked, last_seen_at from users
                    where tenant_id = $1 and email = $2";
    let answers = tx
        .query_all(&[
            (BY_SUBJECT, &[&of.tenant_id, &of.issuer, &of.id]),
            (by_email, &[&of.tenant_id, &email]),
            ("select signup, signup_role from tenants where id = $1", &[&of.tenant_id]),
        ])
        .await?;
    let tenant = answers[2].first().ok_or_else(|| Error::internal("the tenant was deleted during a login"))?;
    Ok(Candidates {
        by_subject: LoginUser::read_first(&answers[0])?,
        by_email: LoginUser::read_first(&answers[1])?,
        signup: tenant.try_get("signup")?,
        signup_role: parse_role(tenant.try_get("signup_role")?)?,
    })
}

/// Links a user to a subject; ends the transaction.
pub(super) async fn link_user(tx: Tx, of: IssuerSubject<'_>, id: UserId, now: Time) -> Result<()> {
    tx.query_and_commit(
        "update users set issuer = $3, subject = $4, last_seen_at = $5, updated_at = $5, version = version + 1
         where tenant_id = $1 and id = $2",
        &[&of.tenant_id, &id, &of.issuer, &of.id, &now],
    )
    .await?;
    Ok(())
}

/// Inserts a user; ends the transaction. An address that is in use fails with `ALREADY_EXISTS`.
pub(super) async fn insert_user(tx: Tx, of: IssuerSubject<'_>, user: &LoginUser, email: &str, now: Time) -> Result<()> {
    tx.query_and_commit(
        "insert into users (tenant_id, id, email, full_name, role, issuer, subject, last_seen_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)",
        &[&of.tenant_id, &user.id, &email, &user.name, &user.role.name(), &of.issuer, &of.id, &now],
    )
    .await
    .on_constraint("users_email", || Error::new(Code::AlreadyExists, "Another user has this address."))?;
    Ok(())
}

/// Records when a user was last active.
pub(super) async fn record_visit(db: &Db, tenant_id: TenantId, id: UserId, at: Time) -> Result<()> {
    let sql = "update users set last_seen_at = $3
               where tenant_id = $1 and id = $2 and (last_seen_at is null or last_seen_at < $3)";
    db.tenant(tenant_id).await?.query_and_commit(sql, &[&tenant_id, &id, &at]).await?;
    Ok(())
}
