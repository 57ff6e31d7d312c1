//! The use cases of API keys: minting, rotating and revoking them. Nobody hands out more than they have.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    app::App,
    audit::Entry,
    clock::Time,
    error::{Code, Error, Refusals, Result},
    id::{KeyId, UserId},
    text,
    unit::after_commit,
    user::{self, User},
};

use super::{
    Caller, Principal, Role, Scope,
    key::{self, ApiKey},
    permission::{may_manage, within},
    service::forget,
    store::{self, NewKey, Sight},
};

/// The longest that a key may be good for.
const LONGEST_LIFE: TimeDelta = TimeDelta::days(5 * 365 + 2);

/// The longest that a key may stay good after it was rotated.
pub const LONGEST_OVERLAP: i64 = 604_800;

/// How long it does when nothing is said.
const OVERLAP: i64 = 86_400;

/// A key that somebody asks for, as it came.
#[derive(Debug)]
pub struct Wanted {
    pub name: String,
    /// Absent: the caller's, or less where the person may less.
    pub role: Option<Role>,
    /// None: those of the caller.
    pub scopes: Vec<String>,
    pub expires_at: Option<Time>,
    /// Absent: the caller. `Some(None)`: nobody, a key of the tenant itself.
    pub user_id: Option<Option<UserId>>,
}

/// A key with the text that is shown this once.
pub struct Shown {
    pub key: ApiKey,
    pub secret: String,
}

/// Makes a key, never of more than the caller has and its person may.
pub async fn mint(app: &App, caller: &Caller, wanted: Wanted) -> Result<Shown> {
    let now = app.clock.now();
    let mut refusals = Refusals::default();
    let name = refusals.take("name", text::line(wanted.name, 1..=100)).unwrap_or_default();
    let scopes = parse_scopes(&mut refusals, &wanted.scopes);
    let expires_at = wanted.expires_at.and_then(|at| refusals.take("expires_at", expiry(at, now)));
    refusals.finish()?;
    let person = person(app, caller, wanted.user_id).await?;
    let most = person.as_ref().map_or(caller.role, |person| person.role.min(caller.role));
    let role = wanted.role.unwrap_or(most);
    let scopes = if scopes.is_empty() { caller.scopes.to_vec() } else { scopes };
    check_ceiling(caller, role, &scopes)?;
    if role > most {
        return Err(Error::field("role", "is above the role of the person whose key it is"));
    }
    let (key, secret, hash) = make(app, caller, name, role, scopes, expires_at, person.map(|person| person.id));
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.audit(Entry::new(caller, now, "api_key.create", key.id).after(audited(&key)?));
    store::insert_key(tx, &new_key(app, caller, &key, &hash)).await?;
    Ok(Shown { key, secret })
}

/// What somebody may make keys for: themselves, the tenant, people whom they may manage.
async fn person(app: &App, caller: &Caller, wanted: Option<Option<UserId>>) -> Result<Option<User>> {
    let own = own_person(caller);
    let Some(id) = wanted.unwrap_or(own) else {
        let needless = "Your credential belongs to no person, so there are no keys of your own: ask a lead.";
        let detail =
            if wanted.is_some() { "Only a lead or an admin makes keys of the tenant itself." } else { needless };
        return if caller.role >= Role::Lead { Ok(None) } else { Err(Error::new(Code::Forbidden, detail)) };
    };
    if Some(id) != own && caller.role < Role::Lead {
        return Err(Error::new(Code::Forbidden, "Only a lead or an admin makes keys for other people."));
    }
    let person = match user::store::find(&app.db, caller.tenant_id, id).await {
        Err(error) if error.code() == Code::UserNotFound => {
            return Err(Error::field("user_id", "there is no such person in the tenant"));
        }
        found => found?,
    };
    if !person.is_active {
        return Err(Error::field("user_id", "this person is deactivated"));
    }
    if Some(id) != own && !may_manage(caller.role, person.role) {
        return Err(Error::new(Code::Forbidden, "You make keys for people below lead only, and for yourself."));
    }
    Ok(Some(person))
}

/// The caller as a person of the tenant that is acted on.
fn own_person(caller: &Caller) -> Option<UserId> {
    caller.principal.user_id().filter(|_| caller.tenant_id == caller.home_tenant_id)
}

/// Nobody hands out a role or scopes beyond their own.
fn check_ceiling(caller: &Caller, role: Role, scopes: &[Scope]) -> Result<()> {
    if role > caller.role {
        let detail = format!("A key with the role {} is beyond your own role, {}.", role.name(), caller.role.name());
        return Err(Error::new(Code::Forbidden, detail));
    }
    if !within(scopes, &caller.scopes) {
        return Err(Error::new(Code::Forbidden, "The key would have scopes that your own credential does not have."));
    }
    Ok(())
}

fn parse_scopes(refusals: &mut Refusals, texts: &[String]) -> Vec<Scope> {
    let parsed =
        texts.iter().enumerate().filter_map(|(at, text)| refusals.take(&format!("scopes[{at}]"), text.parse()));
    let sorted: BTreeSet<Scope> = parsed.collect();
    sorted.into_iter().collect()
}

fn expiry(at: Time, now: Time) -> Result<Time, String> {
    if at <= now {
        return Err("must lie in the future".to_owned());
    }
    if at - now > LONGEST_LIFE { Err("must lie within 5 years".to_owned()) } else { Ok(at) }
}

fn make(
    app: &App,
    caller: &Caller,
    name: String,
    role: Role,
    scopes: Vec<Scope>,
    expires_at: Option<Time>,
    user_id: Option<UserId>,
) -> (ApiKey, String, Vec<u8>) {
    let minted = key::mint(&app.keys.pepper, &app.keys.environment);
    let key = ApiKey {
        id: minted.id,
        name,
        prefix: key::prefix(&app.keys.environment, minted.id),
        role,
        scopes,
        user_id,
        created_at: app.clock.now(),
        created_by: caller.actor(),
        expires_at,
        last_used_at: None,
        revoked_at: None,
        rotated_to: None,
        person_role: None,
    };
    (key, minted.text, minted.hash)
}

fn new_key<'a>(app: &'a App, caller: &Caller, key: &'a ApiKey, hash: &'a [u8]) -> NewKey<'a> {
    NewKey {
        tenant_id: caller.tenant_id,
        id: key.id,
        name: &key.name,
        environment: &app.keys.environment,
        role: key.role,
        secret_hash: hash,
        expires_at: key.expires_at,
        created_at: key.created_at,
        scopes: &key.scopes,
        user_id: key.user_id,
        created_by: key.created_by.clone(),
    }
}

/// Which keys somebody is shown: a lead all of the tenant, a person their own, a key without a person itself.
fn sight(caller: &Caller) -> Sight {
    match (&caller.principal, caller.role >= Role::Lead) {
        (_, true) => Sight::All,
        (Principal::Key { id, user_id: None, .. }, false) => Sight::Only(*id),
        (Principal::Key { user_id: Some(id), .. } | Principal::User { id, .. }, false) => Sight::Of(*id),
    }
}

fn sees(caller: &Caller, key: &ApiKey) -> bool {
    match sight(caller) {
        Sight::All => true,
        Sight::Of(person) => key.user_id == Some(person),
        Sight::Only(id) => key.id == id,
    }
}

/// A page of the keys that the caller sees, newest first.
pub async fn list(app: &App, caller: &Caller, before: Option<KeyId>, most: i64) -> Result<Vec<ApiKey>> {
    store::keys(&app.db, caller.tenant_id, sight(caller), before, most).await
}

pub async fn get(app: &App, caller: &Caller, id: KeyId) -> Result<ApiKey> {
    let key = store::key(&app.db, caller.tenant_id, id).await?;
    if sees(caller, &key) { Ok(key) } else { Err(store::no_key(id)) }
}

/// Refuses a caller who may not end a key that they see.
fn check_may_end(caller: &Caller, key: &ApiKey) -> Result<()> {
    if !sees(caller, key) {
        return Err(store::no_key(key.id));
    }
    if matches!(sight(caller), Sight::Only(_)) {
        let detail = "Your key belongs to no person, so it is not yours to change: ask a lead.";
        return Err(Error::new(Code::Forbidden, detail));
    }
    if key.role > caller.role {
        let detail = format!("The key has the role {}, which is above yours.", key.role.name());
        return Err(Error::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// Revokes a key; it stops working here at once and everywhere within [`KNOWN_FOR`](super::service::KNOWN_FOR).
pub async fn revoke(app: &App, caller: &Caller, id: KeyId) -> Result<()> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let key = store::lock_key(&mut tx, caller.tenant_id, id).await?;
    check_may_end(caller, &key)?;
    if key.revoked_at.is_some() {
        return tx.commit().await;
    }
    let now = app.clock.now();
    tx.audit(Entry::new(caller, now, "api_key.revoke", id).before(audited(&key)?));
    store::revoke_key(tx, id, now).await?;
    forget_after_commit(app).await;
    Ok(())
}

/// Makes a key that takes the place of another, which stays good for the overlap. It lives as long as the other did.
pub async fn rotate(app: &App, caller: &Caller, id: KeyId, overlap: Option<i64>) -> Result<Shown> {
    let overlap = overlap.unwrap_or(OVERLAP);
    if !(0..=LONGEST_OVERLAP).contains(&overlap) {
        return Err(Error::field("overlap_seconds", format!("must be 0 to {LONGEST_OVERLAP}")));
    }
    let now = app.clock.now();
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let old = store::lock_key(&mut tx, caller.tenant_id, id).await?;
    check_may_end(caller, &old)?;
    check_ceiling(caller, old.role, &old.scopes)?;
    let for_another = old.user_id.is_some() && old.user_id != own_person(caller);
    if for_another && !old.person_role.is_some_and(|role| may_manage(caller.role, role)) {
        return Err(Error::new(Code::Forbidden, "You rotate keys of people below lead only, and your own."));
    }
    check_alive(&old, now)?;
    let expires_at = old.expires_at.map(|at| now + (at - old.created_at));
    let (key, secret, hash) =
        make(app, caller, old.name.clone(), old.role, old.scopes.clone(), expires_at, old.user_id);
    let until = now + TimeDelta::seconds(overlap);
    let until = old.expires_at.map_or(until, |at| at.min(until));
    tx.audit(Entry::new(caller, now, "api_key.rotate", id).changes(
        &serde_json::json!({"expires_at": old.expires_at, "rotated_to": null}),
        &serde_json::json!({"expires_at": until, "rotated_to": key.id}),
    ));
    tx.audit(Entry::new(caller, now, "api_key.create", key.id).after(audited(&key)?));
    store::replace_key(&mut tx, id, key.id, until).await?;
    store::insert_key(tx, &new_key(app, caller, &key, &hash)).await?;
    forget_after_commit(app).await;
    Ok(Shown { key, secret })
}

/// Refuses a key that was ended, or rotated, before.
fn check_alive(key: &ApiKey, now: Time) -> Result<()> {
    let why = if key.revoked_at.is_some() {
        "The key was revoked."
    } else if key.rotated_to.is_some() {
        "The key was rotated before; rotate the one that took its place."
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "The key has expired."
    } else {
        return Ok(());
    };
    let current = serde_json::json!({
        "expires_at": key.expires_at, "revoked_at": key.revoked_at, "rotated_to": key.rotated_to,
    });
    Err(Error::new(Code::InvalidTransition, why).with_current(current))
}

async fn forget_after_commit(app: &App) {
    let app = app.clone();
    after_commit(async move { forget(&app) }).await;
}

/// What the audit log tells of a key: never its secret, of which nothing is known after it was shown.
fn audited(key: &ApiKey) -> Result<Value> {
    let mut value = serde_json::to_value(key)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| ["name", "role", "scopes", "user_id", "expires_at"].contains(&name.as_str()));
    }
    Ok(value)
}
