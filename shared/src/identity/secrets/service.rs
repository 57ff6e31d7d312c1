//! The use cases of secrets. A lead manages those of the tenant and of environments, and members their own.

use serde_json::{Value, json};

use crate::{
    identity::{
        audit::{self, AuditEntry},
        auth::{Caller, Role, require_role},
    },
    kernel::{
        actor::{Actor, ActorKind},
        clock::Time,
        encryption::Pepper,
        error::{Code, Error, Result},
        id::{EnvironmentId, SecretId, TenantId, UserId},
    },
    platform::{
        context::Context,
        postgres::{Tx, lock_names},
    },
};

use super::{
    MAX_SECRETS, NamedScope, Secret, SecretOwner,
    draft::SecretDraft,
    sealing::{open_value, seal_value},
    selection::select_secrets,
    store::{self, SealedSecret},
};

/// Creates a secret, or replaces the one of the scope that has its name.
pub async fn put_secret(context: &Context, caller: &Caller, scope: NamedScope, draft: SecretDraft) -> Result<Secret> {
    let now = context.clock.now();
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_secrets(caller.tenant_id));
    let owner = authorize_change(&mut tx, caller, scope).await?;
    let (before, number) = store::find_with_count(&mut tx, caller.tenant_id, owner, &draft.name).await?;
    if before.is_none() && number >= MAX_SECRETS {
        let detail = format!("The tenant has {MAX_SECRETS} secrets already, as many as it may have.");
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    let sealed = seal_value(&context.pepper, caller.tenant_id, owner, &draft.name, &draft.value)?;
    let secret = Secret {
        id: before.as_ref().map_or_else(SecretId::new, |known| known.id),
        owner,
        name: draft.name,
        phase: draft.phase,
        used_as: draft.used_as,
        created_at: before.as_ref().map_or(now, |known| known.created_at),
        updated_at: now,
        updated_by: caller.actor(),
    };
    let new = SealedSecret { secret, sealed };
    store::put_secret(&mut tx, caller.tenant_id, &new).await?;
    let entry = AuditEntry::new(caller, now, "secret.set", new.secret.id);
    let entry = match &before {
        Some(known) => entry.with_before(audit_fields(known)),
        None => entry,
    };
    audit::record(&mut tx, entry.with_after(audit_fields(&new.secret)));
    tx.commit().await?;
    Ok(new.secret)
}

/// Deletes a secret.
pub async fn delete_secret(context: &Context, caller: &Caller, scope: NamedScope, name: &str) -> Result<()> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_secrets(caller.tenant_id));
    let owner = authorize_change(&mut tx, caller, scope).await?;
    let (found, _) = store::find_with_count(&mut tx, caller.tenant_id, owner, name).await?;
    let secret = found.ok_or_else(|| Error::new(Code::SecretNotFound, "There is no secret with this name."))?;
    store::delete_secret(&mut tx, caller.tenant_id, secret.id).await?;
    let entry = AuditEntry::new(caller, context.clock.now(), "secret.delete", secret.id);
    audit::record(&mut tx, entry.with_before(audit_fields(&secret)));
    tx.commit().await
}

/// A page of the secrets of the tenant and its environments, and of the caller's own, newest first.
pub async fn list_secrets(
    context: &Context,
    caller: &Caller,
    scope: Option<NamedScope>,
    page: (Option<SecretId>, i64),
) -> Result<Vec<Secret>> {
    store::list_secrets(&context.db, caller.tenant_id, own_user(caller), scope, page).await
}

/// The owner that a caller names, if the caller may change its secrets. An unknown environment is reported before a
/// missing role, so that the answer is the same for everybody who may call at all.
async fn authorize_change(tx: &mut Tx, caller: &Caller, scope: NamedScope) -> Result<SecretOwner> {
    match scope {
        NamedScope::User => own_user(caller).map(SecretOwner::User).ok_or_else(no_user),
        NamedScope::Tenant => require_role(caller, Role::Lead).map(|()| SecretOwner::Tenant),
        NamedScope::Environment(id) => {
            store::check_environment(tx, caller.tenant_id, id).await?;
            require_role(caller, Role::Lead).map(|()| SecretOwner::Environment(id))
        }
    }
}

/// The user behind a caller. An admin who acts on another tenant is no user of it.
fn own_user(caller: &Caller) -> Option<UserId> {
    caller.principal.user_id().filter(|_| caller.tenant_id == caller.home_tenant_id)
}

#[track_caller]
fn no_user() -> Error {
    Error::new(Code::Forbidden, "This credential belongs to no user of the tenant, so it has no secrets of its own.")
}

/// The fields of a secret in the audit log: never its value.
fn audit_fields(secret: &Secret) -> Value {
    json!({
        "name": secret.name,
        "scope": secret.owner.scope(),
        "environment_id": secret.owner.environment_id(),
        "user_id": secret.owner.user_id(),
        "phase": secret.phase,
        "kind": secret.used_as.kind(),
        "host": secret.used_as.host(),
        "provider": secret.used_as.provider(),
    })
}

/// A secret with its value. It has no `Debug`.
pub struct RevealedSecret {
    pub secret: Secret,
    pub value: String,
}

/// The secrets that a session receives, and the names for which there is none.
pub struct RevealedSecrets {
    pub secrets: Vec<RevealedSecret>,
    pub missing: Vec<String>,
}

/// Which secrets a session receives.
pub(crate) struct SecretRequest<'a> {
    pub tenant_id: TenantId,
    pub environment_id: EnvironmentId,
    /// The actor that created the session.
    pub created_by: &'a Actor,
    pub names: &'a [String],
}

/// Reveals the secrets of a session. The caller decides who may see them, and records it.
pub(crate) async fn reveal_secrets(
    tx: &mut Tx,
    pepper: &Pepper,
    request: &SecretRequest<'_>,
    now: Time,
) -> Result<RevealedSecrets> {
    let SecretRequest { tenant_id, environment_id, created_by, names } = *request;
    if names.is_empty() {
        return Ok(RevealedSecrets { secrets: Vec::new(), missing: Vec::new() });
    }
    let kind = match created_by.kind {
        ActorKind::User => "user",
        ActorKind::Key => "key",
        ActorKind::Agent | ActorKind::Runner | ActorKind::System => "none",
    };
    let user = store::find_creator(tx, tenant_id, (kind, &created_by.id), now).await?;
    let candidates = store::find_candidates(tx, tenant_id, environment_id, user, names).await?;
    let (selected, missing) = select_secrets(names, candidates);
    let reveal = |SealedSecret { secret, sealed }: SealedSecret| {
        let value = open_value(pepper, tenant_id, secret.owner, &secret.name, &sealed)?;
        Ok(RevealedSecret { secret, value })
    };
    Ok(RevealedSecrets { secrets: selected.into_iter().map(reveal).collect::<Result<_>>()?, missing })
}
