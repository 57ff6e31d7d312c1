//! The provider settings of tenants: the base URL, and the encrypted API key.

use serde_json::{Value, json};

use crate::{
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        actor::Actor,
        clock::Time,
        encryption::{self, Purpose},
        error::{Error, Result, ValidationErrors},
        text,
    },
    training::services::TrainingServices,
    training::trainers::Provider,
};

use super::store::providers::{self as store, SealedCredentials};

/// The visible settings of a provider. The key is never returned.
#[derive(Clone, Debug)]
pub struct ProviderDetails {
    pub provider: Provider,
    /// Whether jobs may use it on this server.
    pub offered: bool,
    pub base_url: Option<String>,
    pub api_key_set: bool,
    pub updated: Option<(Actor, Time)>,
}

/// The settings, as sent. They hold a secret, so there is no `Debug`.
pub struct ProviderInput {
    pub base_url: Option<String>,
    /// Absent: unchanged. Null: removed.
    pub api_key: Option<Option<String>>,
}

/// Every provider, in order.
pub async fn list(services: &TrainingServices, caller: &Caller) -> Result<Vec<ProviderDetails>> {
    let kept = store::list_providers(&services.db, caller.tenant_id).await?;
    let shown = Provider::ALL.into_iter().map(|provider| {
        let known = kept.iter().find(|one| one.provider == provider).cloned();
        provider_settings(services, provider, known)
    });
    Ok(shown.collect())
}

pub async fn get(services: &TrainingServices, caller: &Caller, provider: Provider) -> Result<ProviderDetails> {
    let mut all = list(services, caller).await?;
    all.retain(|one| one.provider == provider);
    all.pop().ok_or_else(|| Error::internal("every provider is listed"))
}

fn provider_settings(
    services: &TrainingServices,
    provider: Provider,
    kept: Option<store::StoredProvider>,
) -> ProviderDetails {
    let offered = services.training_settings.offers(provider);
    match kept {
        None => ProviderDetails { provider, offered, base_url: None, api_key_set: false, updated: None },
        Some(kept) => ProviderDetails {
            provider,
            offered,
            api_key_set: kept.sealed.api_key.is_some(),
            base_url: kept.sealed.base_url,
            updated: Some((kept.updated_by, kept.updated_at)),
        },
    }
}

/// Replaces the settings of a provider. A stored key is bound to its base URL, so that it cannot be redirected to
/// another server by a caller who does not know it.
pub async fn put_provider(
    services: &TrainingServices,
    caller: &Caller,
    provider: Provider,
    input: ProviderInput,
) -> Result<ProviderDetails> {
    let ProviderInput { base_url, api_key } = parse(services, provider, input)?;
    let now = services.clock.now();
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&format!("training-provider:{}:{}", caller.tenant_id, provider.name()));
    let before = store::find_provider(&mut tx, caller.tenant_id, provider).await?;
    let had = before.as_ref().map(|kept| kept.sealed.clone()).unwrap_or_default();
    let changes_key = api_key.is_some();
    if !changes_key && had.api_key.is_some() && had.base_url != base_url {
        return Err(Error::invalid_field("api_key", "must be sent again with another base_url, or removed with null"));
    }
    let seal = |plain: String| {
        encryption::seal_bytes(
            &services.pepper,
            Purpose::TrainingProvider,
            &store::encryption_context(caller.tenant_id, provider),
            plain.as_bytes(),
        )
    };
    let api_key = match api_key {
        Some(sent) => sent.map(seal).transpose()?,
        None => had.api_key.clone(),
    };
    let sealed = SealedCredentials { base_url, api_key };
    let mut after = audit_fields(&sealed);
    if changes_key && sealed.api_key.is_some() {
        after["changed"] = json!("a new key");
    }
    let entry = AuditEntry::new(caller, now, "training_provider.set", provider.name());
    audit::record(&mut tx, entry.with_changes(&audit_fields(&had), &after));
    let kept = store::StoredProvider { provider, sealed, updated_by: caller.actor(), updated_at: now };
    store::put_provider(tx, caller.tenant_id, &kept).await?;
    Ok(provider_settings(services, provider, Some(kept)))
}

/// Removes the settings. Idempotent.
pub async fn delete(services: &TrainingServices, caller: &Caller, provider: Provider) -> Result<()> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    if let Some(kept) = store::find_provider(&mut tx, caller.tenant_id, provider).await? {
        let entry = AuditEntry::new(caller, services.clock.now(), "training_provider.delete", provider.name());
        audit::record(&mut tx, entry.with_before(audit_fields(&kept.sealed)));
    }
    store::delete(tx, caller.tenant_id, provider).await
}

/// The fields in the audit log: whether there is a key, never the key.
fn audit_fields(sealed: &SealedCredentials) -> Value {
    json!({"base_url": sealed.base_url, "has_key": sealed.api_key.is_some()})
}

fn parse(services: &TrainingServices, provider: Provider, input: ProviderInput) -> Result<ProviderInput> {
    let mut refused = ValidationErrors::default();
    if provider == Provider::Simulated {
        refused.add("provider", "has no settings: it makes no calls");
    }
    let outbound = services.outbound()?;
    let base_url = input.base_url.and_then(|url| {
        let line = text::parse_line(url, 1..=2000);
        let checked = line.and_then(|url| outbound.check_url(&url).map(|_| url).map_err(str::to_owned));
        refused.check("base_url", checked)
    });
    let api_key =
        input.api_key.map(|key| key.and_then(|key| refused.check("api_key", text::parse_line(key, 1..=1000))));
    refused.into_result()?;
    Ok(ProviderInput { base_url, api_key })
}
