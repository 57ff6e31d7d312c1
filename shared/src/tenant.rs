//! Tenants: whose everything is. Making one, and the limits that the scheduler reads.

use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    db::OnConstraint,
    error::{Code, Error, Refusals, Result},
    id::TenantId,
};

/// What happens to a start when no slot is free.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// It waits, and says for what.
    #[default]
    Queue,
    /// It is answered with 429.
    Reject,
}

impl Admission {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Reject => "reject",
        }
    }
}

/// The limits of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    pub max_concurrent_sessions: i32,
    pub max_queued_sessions: i32,
    /// 0 = unlimited.
    pub max_tokens_per_month: i64,
    pub admission: Admission,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent_sessions: 10,
            max_queued_sessions: 1000,
            max_tokens_per_month: 1_000_000,
            admission: Admission::Queue,
        }
    }
}

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    pub name: String,
    pub slug: String,
    pub limits: Limits,
}

/// Makes a tenant. A slug that is taken is `ALREADY_EXISTS`.
pub async fn create(app: &App, new: &NewTenant) -> Result<TenantId> {
    let mut refusals = Refusals::default();
    if !(2..=100).contains(&new.name.chars().count()) {
        refusals.add("name", "must have 2 to 100 characters");
    }
    let slug = &new.slug;
    if !(2..=50).contains(&slug.len())
        || !slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        refusals.add("slug", "must have 2 to 50 characters of a-z, 0-9 and -");
    }
    refusals.finish()?;
    let (id, now) = (TenantId::new(), app.clock.now());
    let limits = new.limits;
    app.db
        .tenant(id)
        .await?
        .finish(
            "insert into tenants (id, name, slug, max_concurrent_sessions, max_queued_sessions, max_tokens_per_month,
                                  admission, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            &[
                &id,
                &new.name,
                slug,
                &limits.max_concurrent_sessions,
                &limits.max_queued_sessions,
                &limits.max_tokens_per_month,
                &limits.admission.name(),
                &now,
            ],
        )
        .await
        .on_constraint("tenants_slug_key", || Error::new(Code::AlreadyExists, format!("The slug {slug} is taken.")))?;
    Ok(id)
}

/// Sets the limits of a tenant; they hold from the next decision on, and who may start now does.
pub async fn set_limits(app: &App, id: TenantId, limits: Limits) -> Result<()> {
    app.db
        .tenant(id)
        .await?
        .finish(
            "update tenants set max_concurrent_sessions = $2, max_queued_sessions = $3, max_tokens_per_month = $4,
                    admission = $5, version = version + 1, updated_at = $6
             where id = $1",
            &[
                &id,
                &limits.max_concurrent_sessions,
                &limits.max_queued_sessions,
                &limits.max_tokens_per_month,
                &limits.admission.name(),
                &app.clock.now(),
            ],
        )
        .await?;
    crate::dispatch::admit_for_tenant(app, id, None).await
}
