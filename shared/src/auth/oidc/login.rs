//! From a good token to a user of a tenant: known by the issuer's subject, else by a verified address, else made.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    audit::{By, Entry},
    auth::{
        Actor, ActorKind, Principal, Role,
        service::{Call, Known, inactive, wrong},
        store::{NamedTenant, find_tenant},
    },
    clock::Time,
    error::{Code, Error, Result},
    id::UserId,
};

use super::{
    SEEN_NOTED_EVERY,
    claims::{Asserted, Said},
    settings::Issuer,
    store::{self, Candidates, Subject, User},
    token::{self, Refusal},
};

/// Whom a token belongs to.
pub(super) struct KnownUser {
    tenant: NamedTenant,
    user: User,
    role: Role,
    /// From this moment on the token is refused.
    until: Time,
}

/// Whom a token belongs to; one that was seen of late costs neither a check of its signature nor a round trip.
pub(in crate::auth) async fn by_token(app: &App, token: &str, call: &Call) -> Result<Known> {
    if token.len() > token::MOST_BYTES {
        return Err(wrong());
    }
    let now = app.clock.now();
    let hash: [u8; 32] = Sha256::digest(token).into();
    let known = if let Some(known) = app.oidc.known.get(&hash) {
        known
    } else {
        let known = Arc::new(identified(app, token, call, now).await?);
        app.oidc.known.insert(hash, known.clone());
        known
    };
    if now >= known.until {
        return Err(wrong());
    }
    note_visit(app, &known, now).await;
    Ok(Known {
        tenant_id: known.tenant.id,
        tenant_slug: known.tenant.slug.clone(),
        tenant_active: known.tenant.is_active,
        role: known.role,
        scopes: Arc::default(),
        principal: Principal::User { id: known.user.id, name: known.user.name.clone() },
    })
}

async fn identified(app: &App, token: &str, call: &Call, now: Time) -> Result<KnownUser> {
    let checked = token::check(&app.oidc, token, now).await;
    let (trusted, said) = checked.map_err(|refusal| refusal.into_error(wrong))?;
    let tenant = find_tenant(&app.db, &said.tenant).await?.ok_or_else(|| refuse("a tenant that is not here"))?;
    if !tenant.is_active {
        return Err(inactive());
    }
    if said.role == Some(Asserted::Unknown) {
        return Err(Error::new(Code::Forbidden, "Your token names no role that is known here."));
    }
    let user = user(app, &trusted.issuer, &said, &tenant, call, now).await?;
    if !user.is_active {
        return Err(refuse("a user who is deactivated"));
    }
    let role = effective(&trusted.issuer, said.role, user.role);
    Ok(KnownUser { tenant, user, role, until: said.until })
}

/// What every wrong credential hears; the log gets the cause.
fn refuse(why: &'static str) -> Error {
    Refusal::Wrong(why).into_error(wrong)
}

/// What the issuer says of the role goes before the user's row, and only some issuers may make an admin.
fn effective(issuer: &Issuer, asserted: Option<Asserted>, row: Role) -> Role {
    match asserted {
        Some(Asserted::Role(role)) => role,
        _ if issuer.allow_admin => row,
        _ => row.min(Role::Lead),
    }
}

async fn user(app: &App, issuer: &Issuer, said: &Said, tenant: &NamedTenant, call: &Call, now: Time) -> Result<User> {
    let of = Subject { tenant_id: tenant.id, issuer: &issuer.issuer, id: &said.subject };
    if let Some(user) = store::find(&app.db, of).await? {
        return Ok(user);
    }
    match enrol(app, of, said, call, now).await {
        // A person was added with this address while we looked: now there is somebody to link to.
        Err(error) if error.code() == Code::AlreadyExists => enrol(app, of, said, call, now).await,
        other => other,
    }
}

/// The first login of somebody. Those of a tenant take turns, so that two at once make one user.
async fn enrol(app: &App, of: Subject<'_>, said: &Said, call: &Call, now: Time) -> Result<User> {
    let mut tx = app.db.tenant(of.tenant_id).await?;
    let candidates = store::candidates(&mut tx, of, said.email.as_deref()).await?;
    let step = decide(candidates, said).map_err(refuse)?;
    let by = |user: &User| By {
        actor: Actor { kind: ActorKind::User, id: user.id.to_string(), name: user.name.clone() },
        request_id: Some(call.request_id.clone()),
        address: call.address.clone(),
    };
    let identity = json!({"issuer": of.issuer, "subject": of.id});
    match step {
        Step::Known(user) => {
            tx.commit().await?;
            Ok(user)
        }
        Step::Link(user) => {
            tx.audit(Entry::new(by(&user), now, "user.link", user.id).after(identity));
            store::link(tx, of, user.id, now).await?;
            Ok(user)
        }
        Step::Create { user, email } => {
            let made = json!({"email": email, "full_name": user.name, "role": user.role, "issuer": of.issuer,
                              "subject": of.id});
            tx.audit(Entry::new(by(&user), now, "user.create", user.id).after(made));
            store::insert(tx, of, &user, &email, now).await?;
            Ok(user)
        }
    }
}

/// What a first login does.
#[derive(Debug)]
enum Step {
    /// Another login of the same person was faster.
    Known(User),
    Link(User),
    Create {
        user: User,
        email: String,
    },
}

/// Decides on a first login, by what the tenant allows and what the issuer has verified.
fn decide(found: Candidates, said: &Said) -> Result<Step, &'static str> {
    if let Some(user) = found.by_subject {
        return Ok(Step::Known(user));
    }
    let email = said.email.clone().ok_or("nobody who is known, and no verified address")?;
    if let Some(user) = found.by_email {
        return match user {
            User { is_linked: true, .. } => Err("an address of somebody else"),
            User { is_active: false, .. } => Err("a user who is deactivated"),
            user => Ok(Step::Link(user)),
        };
    }
    if !found.signup {
        return Err("nobody who is known, and the tenant takes nobody in by itself");
    }
    let role = match said.role {
        // What is kept bounds the keys that people make for themselves: a claim alone never makes it an admin's.
        Some(Asserted::Role(role)) => role.min(Role::Lead),
        _ => found.signup_role,
    };
    let name = said.name.clone().unwrap_or_else(|| email.chars().take(200).collect());
    let user = User { id: UserId::new(), name, role, is_active: true, is_linked: true, last_seen_at: None };
    Ok(Step::Create { user, email })
}

/// Notes that somebody was there, now and then; a note that cannot be written is no reason to refuse the call.
async fn note_visit(app: &App, known: &KnownUser, now: Time) {
    let id = known.user.id;
    let noted = app.oidc.seen.get(&id).max(known.user.last_seen_at);
    if noted.is_some_and(|at| (now - at).to_std().is_ok_and(|age| age < SEEN_NOTED_EVERY)) {
        return;
    }
    app.oidc.seen.insert(id, now);
    if let Err(error) = store::note_visit(&app.db, known.tenant.id, id, now).await {
        tracing::warn!(?error, "the last visit of a user was not noted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Option<Asserted>, email: Option<&str>) -> Said {
        Said {
            subject: "one".to_owned(),
            tenant: "acme".to_owned(),
            role,
            email: email.map(str::to_owned),
            name: None,
            until: Time::default(),
        }
    }

    fn nobody(signup: bool) -> Candidates {
        Candidates { by_subject: None, by_email: None, signup, signup_role: Role::Viewer }
    }

    fn somebody() -> User {
        let (role, name) = (Role::Member, "Ada".to_owned());
        User { id: UserId::new(), name, role, is_active: true, is_linked: false, last_seen_at: None }
    }

    #[test]
    fn somebody_new_is_taken_in_only_where_the_tenant_says_so_and_the_address_is_verified() {
        let verified = Some("ada@example.com");
        assert!(decide(nobody(false), &said(None, verified)).is_err());
        assert!(decide(nobody(true), &said(None, None)).is_err());
        let made = decide(nobody(true), &said(None, verified)).unwrap();
        assert!(
            matches!(made, Step::Create { user, .. } if user.role == Role::Viewer && user.name == "ada@example.com")
        );
        let named = said(Some(Asserted::Role(Role::Admin)), verified);
        let made = decide(nobody(true), &named).unwrap();
        assert!(matches!(made, Step::Create { user, .. } if user.role == Role::Lead), "a claim makes no admin's row");
    }

    #[test]
    fn an_address_links_to_a_user_who_is_active_and_nobody_elses() {
        let with = |user: User| Candidates { by_email: Some(user), ..nobody(true) };
        let ada = said(None, Some("ada@example.com"));
        assert!(matches!(decide(with(somebody()), &ada), Ok(Step::Link(_))));
        assert!(decide(with(User { is_linked: true, ..somebody() }), &ada).is_err());
        assert!(decide(with(User { is_active: false, ..somebody() }), &ada).is_err());
        let known = Candidates { by_subject: Some(somebody()), ..nobody(false) };
        assert!(matches!(decide(known, &said(None, None)), Ok(Step::Known(_))));
    }
}
