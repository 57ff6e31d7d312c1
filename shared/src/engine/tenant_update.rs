//! Changing tenants. The effect of a change on sessions follows its commit and is derived from rows, so that the
//! reconciler can complete it after a crash.

use crate::{
    engine::{services::Engine, tenant_removal, tenant_suspension},
    identity::{
        auth::Caller,
        tenants::{
            Tenant, TenantLimits,
            correction::{CorrectedUsage, UsageCorrection},
            draft::TenantChanges,
            service::{self, TenantUpdate},
            store,
        },
    },
    kernel::{
        error::{Error, Result},
        id::TenantId,
    },
    platform::postgres::unit_of_work::after_commit,
};

/// Changes a tenant in its own transaction. With `version`, only if the tenant still has that version.
pub async fn update_tenant(
    engine: &Engine,
    caller: &Caller,
    id: TenantId,
    changes: TenantChanges,
    version: Option<i64>,
) -> Result<Tenant> {
    if changes.is_active == Some(false) && caller.home_tenant_id == id {
        let why = "cannot be false for the tenant of your own credential: none of its users could reactivate it";
        return Err(Error::invalid_field("is_active", why));
    }
    let update = TenantUpdate { id, caller: Some(caller), version };
    change_and_reconcile(engine, update, |tenant| changes.apply(tenant)).await
}

/// Corrects the tokens that a tenant used this month. Sessions that wait for tokens continue if that makes room.
pub async fn correct_usage(
    engine: &Engine,
    caller: &Caller,
    id: TenantId,
    correction: UsageCorrection,
) -> Result<CorrectedUsage> {
    let corrected = service::correct_usage(engine, caller, id, correction).await?;
    reconcile_after_commit(engine, id).await;
    Ok(corrected)
}

/// Sets the limits of a tenant without a caller, for setup.
pub async fn set_tenant_limits(engine: &Engine, id: TenantId, limits: TenantLimits) -> Result<()> {
    let update = TenantUpdate { id, caller: None, version: None };
    change_and_reconcile(engine, update, |tenant| tenant.limits = limits).await.map(|_| ())
}

async fn change_and_reconcile(
    engine: &Engine,
    update: TenantUpdate<'_>,
    decide: impl FnOnce(&mut Tenant),
) -> Result<Tenant> {
    let id = update.id;
    let updated = service::change_tenant(engine, update, decide).await?;
    if updated.is_changed {
        reconcile_after_commit(engine, id).await;
    }
    Ok(updated.tenant)
}

async fn reconcile_after_commit(engine: &Engine, id: TenantId) {
    let engine = engine.clone();
    after_commit(async move {
        if let Err(error) = Box::pin(tenant_suspension::reconcile_tenant(&engine, id)).await {
            let message = "a change of a tenant was not applied in full; the reconciler will complete it";
            tracing::warn!(?error, tenant.id = %id, "{message}");
        }
    })
    .await;
}

/// Completes changes and removals of tenants that a crash interrupted.
pub(crate) async fn reconcile_tenants(engine: &Engine) -> Result<()> {
    for (id, is_deleted) in store::find_unreconciled(&engine.db).await? {
        let reconciled = if is_deleted {
            tenant_removal::continue_removal(engine, id).await
        } else {
            tenant_suspension::reconcile_tenant(engine, id).await
        };
        if let Err(error) = reconciled {
            tracing::warn!(?error, tenant.id = %id, "a tenant could not be reconciled; the next run tries again");
        }
    }
    Ok(())
}
