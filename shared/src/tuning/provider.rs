//! What tenants set for providers of training: where they answer, and the key that proves the tenant there, sealed.

use serde_json::{Value, json};

use crate::{
    app::App,
    audit::Entry,
    auth::{Actor, Caller, key::Pepper},
    clock::Time,
    error::{Error, Refusals, Result},
    id::TenantId,
    seal::{self, Purpose},
    text,
    trainer::{Connection, Provider},
};

use super::store::providers as store;

/// What a tenant set for a provider, as it is kept.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    pub base_url: Option<String>,
    pub api_key: Option<Vec<u8>>,
}

impl Sealed {
    /// What a trainer is given.
    pub fn open(self, pepper: &Pepper, tenant_id: TenantId, provider: Provider) -> Result<Connection> {
        let open = |sealed: Vec<u8>| {
            let plain = seal::open(pepper, Purpose::TrainingProvider, &owner(tenant_id, provider), &sealed)?;
            String::from_utf8(plain).map_err(Error::internal)
        };
        Ok(Connection { base_url: self.base_url, api_key: self.api_key.map(open).transpose()? })
    }
}

fn owner(tenant_id: TenantId, provider: Provider) -> Vec<u8> {
    [tenant_id.0.as_bytes().as_slice(), provider.name().as_bytes()].concat()
}

/// What is shown of it. The key never is.
#[derive(Clone, Debug)]
pub struct Shown {
    pub provider: Provider,
    /// Whether jobs may name it here.
    pub offered: bool,
    pub base_url: Option<String>,
    pub api_key_set: bool,
    pub updated: Option<(Actor, Time)>,
}

/// What was sent. It holds a secret, so it has no `Debug`.
pub struct Raw {
    pub base_url: Option<String>,
    /// Absent: the kept one stays. Null: there is none any more.
    pub api_key: Option<Option<String>>,
}

/// Every provider, in order.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Shown>> {
    let kept = store::all(&app.db, caller.tenant_id).await?;
    let shown = Provider::ALL.into_iter().map(|provider| {
        let known = kept.iter().find(|one| one.provider == provider).cloned();
        show(app, provider, known)
    });
    Ok(shown.collect())
}

pub async fn get(app: &App, caller: &Caller, provider: Provider) -> Result<Shown> {
    let mut all = list(app, caller).await?;
    all.retain(|one| one.provider == provider);
    all.pop().ok_or_else(|| Error::internal("every provider is listed"))
}

fn show(app: &App, provider: Provider, kept: Option<store::Kept>) -> Shown {
    let offered = app.settings.tuning.offers(provider);
    match kept {
        None => Shown { provider, offered, base_url: None, api_key_set: false, updated: None },
        Some(kept) => Shown {
            provider,
            offered,
            api_key_set: kept.sealed.api_key.is_some(),
            base_url: kept.sealed.base_url,
            updated: Some((kept.updated_by, kept.updated_at)),
        },
    }
}

/// Sets what holds for a provider from the next call on, in place of what held before. A kept key goes along only to the
/// place that it was sent for: nobody who does not know it may send it elsewhere.
pub async fn put(app: &App, caller: &Caller, provider: Provider, raw: Raw) -> Result<Shown> {
    let Raw { base_url, api_key } = parse(app, provider, raw)?;
    let now = app.clock.now();
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&format!("training-provider:{}:{}", caller.tenant_id, provider.name()));
    let before = store::find(&mut tx, caller.tenant_id, provider).await?;
    let had = before.as_ref().map(|kept| kept.sealed.clone()).unwrap_or_default();
    let changes_key = api_key.is_some();
    if !changes_key && had.api_key.is_some() && had.base_url != base_url {
        return Err(Error::field("api_key", "must be sent again with another base_url, or taken away with null"));
    }
    let seal = |plain: String| {
        seal::seal(&app.keys.pepper, Purpose::TrainingProvider, &owner(caller.tenant_id, provider), plain.as_bytes())
    };
    let api_key = match api_key {
        Some(sent) => sent.map(seal).transpose()?,
        None => had.api_key.clone(),
    };
    let sealed = Sealed { base_url, api_key };
    let mut after = audited(&sealed);
    if changes_key && sealed.api_key.is_some() {
        after["changed"] = json!("a new key");
    }
    let entry = Entry::new(caller, now, "training_provider.set", provider.name());
    tx.audit(entry.changes(&audited(&had), &after));
    let kept = store::Kept { provider, sealed, updated_by: caller.actor(), updated_at: now };
    store::put(tx, caller.tenant_id, &kept).await?;
    Ok(show(app, provider, Some(kept)))
}

/// Forgets what was set; doing it again changes nothing.
pub async fn delete(app: &App, caller: &Caller, provider: Provider) -> Result<()> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    if let Some(kept) = store::find(&mut tx, caller.tenant_id, provider).await? {
        let entry = Entry::new(caller, app.clock.now(), "training_provider.delete", provider.name());
        tx.audit(entry.before(audited(&kept.sealed)));
    }
    store::delete(tx, caller.tenant_id, provider).await
}

/// What the audit log tells: that there is a key, and never which.
fn audited(sealed: &Sealed) -> Value {
    json!({"base_url": sealed.base_url, "has_key": sealed.api_key.is_some()})
}

fn parse(app: &App, provider: Provider, raw: Raw) -> Result<Raw> {
    let mut refused = Refusals::default();
    if provider == Provider::Simulated {
        refused.add("provider", "has nothing to set: it calls nobody");
    }
    let outbound = app.outbound()?;
    let base_url = raw.base_url.and_then(|url| {
        let line = text::line(url, 1..=2000);
        let checked = line.and_then(|url| outbound.check(&url).map(|_| url).map_err(str::to_owned));
        refused.take("base_url", checked)
    });
    let api_key = raw.api_key.map(|key| key.and_then(|key| refused.take("api_key", text::line(key, 1..=1000))));
    refused.finish()?;
    Ok(Raw { base_url, api_key })
}
