//! Finds the user of a valid token: by the issuer's subject, else by a verified address, else by creating the user.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    identity::services::IdentityServices,
    identity::{
        audit::{self, AuditEntry},
        auth::{
            Principal, Role,
            caller::{CallOrigin, VerifiedCredential, invalid_credential, tenant_inactive},
            store::find_tenant,
        },
    },
    kernel::{
        actor::{Actor, ActorKind, By},
        clock::Time,
        error::{Code, Error, Result},
        id::UserId,
    },
};

use super::{
    VISIT_INTERVAL,
    claims::{AssertedRole, TokenClaims},
    issuer::Issuer,
    store::{self, Candidates, IssuerSubject, LoginUser},
    token::{self, TokenRefusal},
    token_user::TokenUser,
};

/// Authenticates the user of a token. A token that was seen recently costs neither a signature check nor a round trip.
pub(in crate::identity::auth) async fn authenticate_token(
    services: &IdentityServices,
    token: &str,
    call: &CallOrigin,
) -> Result<VerifiedCredential> {
    if token.len() > token::MAX_BYTES {
        return Err(invalid_credential());
    }
    let now = services.clock.now();
    let hash: [u8; 32] = Sha256::digest(token).into();
    let known = if let Some(known) = services.oidc.known.get(&hash) {
        known
    } else {
        let known = Arc::new(identify_token(services, token, call, now).await?);
        services.oidc.known.insert(hash, known.clone());
        known
    };
    if now >= known.until {
        return Err(invalid_credential());
    }
    record_visit(services, &known, now).await;
    Ok(VerifiedCredential {
        tenant_id: known.tenant.id,
        tenant_slug: known.tenant.slug.clone(),
        tenant_active: known.tenant.is_active,
        role: known.role,
        scopes: Arc::default(),
        principal: Principal::User { id: known.user.id, name: known.user.name.clone() },
        valid_until: Some(known.until),
    })
}

async fn identify_token(services: &IdentityServices, token: &str, call: &CallOrigin, now: Time) -> Result<TokenUser> {
    let checked = token::verify_token(&services.oidc, token, now).await;
    let (trusted, claims) = checked.map_err(|refusal| refusal.into_error(invalid_credential))?;
    let tenant = find_tenant(&services.db, &claims.tenant).await?.ok_or_else(|| invalid_token("an unknown tenant"))?;
    if !tenant.is_active {
        return Err(tenant_inactive());
    }
    if claims.role == Some(AssertedRole::Unknown) {
        return Err(Error::new(Code::Forbidden, "Your token names no known role."));
    }
    let subject = IssuerSubject { tenant_id: tenant.id, issuer: &trusted.issuer.issuer, id: &claims.subject };
    let user = find_or_create_user(services, subject, &claims, call, now).await?;
    if !user.is_active {
        return Err(invalid_token("a deactivated user"));
    }
    let role = effective_role(&trusted.issuer, claims.role, user.role);
    Ok(TokenUser { tenant, user, role, until: claims.until })
}

/// The error of every invalid credential. The reason goes to the log only.
fn invalid_token(why: &'static str) -> Error {
    TokenRefusal::Invalid(why).into_error(invalid_credential)
}

/// The role of a login: the asserted role takes precedence over the user's row, and only some issuers may grant admin.
fn effective_role(issuer: &Issuer, asserted: Option<AssertedRole>, row: Role) -> Role {
    match asserted {
        Some(AssertedRole::Role(role)) => role,
        _ if issuer.allow_admin => row,
        _ => row.min(Role::Lead),
    }
}

async fn find_or_create_user(
    services: &IdentityServices,
    subject: IssuerSubject<'_>,
    claims: &TokenClaims,
    call: &CallOrigin,
    now: Time,
) -> Result<LoginUser> {
    if let Some(user) = store::find_by_subject(&services.db, subject).await? {
        return Ok(user);
    }
    match complete_first_login(services, subject, claims, call, now).await {
        // A user with this address was created concurrently: the second attempt links to it.
        Err(error) if error.code() == Code::AlreadyExists => {
            complete_first_login(services, subject, claims, call, now).await
        }
        other => other,
    }
}

/// Handles the first login of a user. The first logins of a tenant are serialized, so that two at once create one user.
async fn complete_first_login(
    services: &IdentityServices,
    subject: IssuerSubject<'_>,
    claims: &TokenClaims,
    call: &CallOrigin,
    now: Time,
) -> Result<LoginUser> {
    let mut tx = services.db.tenant(subject.tenant_id).await?;
    let candidates = store::find_candidates(&mut tx, subject, claims.email.as_deref()).await?;
    let decision = decide_first_login(candidates, claims).map_err(invalid_token)?;
    let by = |user: &LoginUser| By {
        actor: Actor { kind: ActorKind::User, id: user.id.to_string(), name: user.name.clone() },
        request_id: Some(call.request_id.clone()),
        address: call.address.clone(),
    };
    let identity = json!({"issuer": subject.issuer, "subject": subject.id});
    match decision {
        FirstLogin::Existing(user) => {
            tx.commit().await?;
            Ok(user)
        }
        FirstLogin::Link(user) => {
            audit::record(&mut tx, AuditEntry::new(by(&user), now, "user.link", user.id).with_after(identity));
            store::link_user(tx, subject, user.id, now).await?;
            Ok(user)
        }
        FirstLogin::Create { user, email } => {
            let created = json!({"email": email, "full_name": user.name, "role": user.role, "issuer": subject.issuer,
                              "subject": subject.id});
            audit::record(&mut tx, AuditEntry::new(by(&user), now, "user.create", user.id).with_after(created));
            store::insert_user(tx, subject, &user, &email, now).await?;
            Ok(user)
        }
    }
}

/// The decision on a first login.
#[derive(Debug)]
enum FirstLogin {
    /// A concurrent login of the same user came first.
    Existing(LoginUser),
    Link(LoginUser),
    Create {
        user: LoginUser,
        email: String,
    },
}

/// Decides on a first login by the tenant's settings and the verified claims. The error is a reason for the log.
fn decide_first_login(found: Candidates, claims: &TokenClaims) -> Result<FirstLogin, &'static str> {
    if let Some(user) = found.by_subject {
        return Ok(FirstLogin::Existing(user));
    }
    let email = claims.email.clone().ok_or("an unknown subject without a verified address")?;
    if let Some(user) = found.by_email {
        return match user {
            LoginUser { is_linked: true, .. } => Err("the address of another user"),
            LoginUser { is_active: false, .. } => Err("a deactivated user"),
            user => Ok(FirstLogin::Link(user)),
        };
    }
    if !found.signup {
        return Err("an unknown subject of a tenant without signup");
    }
    let role = match claims.role {
        // The stored role limits the keys that users create for themselves: a claim alone never stores admin.
        Some(AssertedRole::Role(role)) => role.min(Role::Lead),
        _ => found.signup_role,
    };
    let name = claims.name.clone().unwrap_or_else(|| email.chars().take(200).collect());
    let user = LoginUser { id: UserId::new(), name, role, is_active: true, is_linked: true, last_seen_at: None };
    Ok(FirstLogin::Create { user, email })
}

/// Records from time to time that a user was active. A failure to record it does not fail the call.
async fn record_visit(services: &IdentityServices, known: &TokenUser, now: Time) {
    let id = known.user.id;
    let noted = services.oidc.seen.get(&id).max(known.user.last_seen_at);
    if noted.is_some_and(|at| (now - at).to_std().is_ok_and(|age| age < VISIT_INTERVAL)) {
        return;
    }
    services.oidc.seen.insert(id, now);
    if let Err(error) = store::record_visit(&services.db, known.tenant.id, id, now).await {
        tracing::warn!(?error, "the last visit of a user could not be recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(role: Option<AssertedRole>, email: Option<&str>) -> TokenClaims {
        TokenClaims {
            subject: "one".to_owned(),
            tenant: "acme".to_owned(),
            role,
            email: email.map(str::to_owned),
            name: None,
            until: Time::default(),
        }
    }

    fn no_candidates(signup: bool) -> Candidates {
        Candidates { by_subject: None, by_email: None, signup, signup_role: Role::Viewer }
    }

    fn unlinked_user() -> LoginUser {
        let (role, name) = (Role::Member, "Ada".to_owned());
        LoginUser { id: UserId::new(), name, role, is_active: true, is_linked: false, last_seen_at: None }
    }

    #[test]
    fn a_new_user_needs_a_tenant_with_signup_and_a_verified_address() {
        let verified = Some("ada@example.com");
        assert!(decide_first_login(no_candidates(false), &claims(None, verified)).is_err());
        assert!(decide_first_login(no_candidates(true), &claims(None, None)).is_err());
        let made = decide_first_login(no_candidates(true), &claims(None, verified)).unwrap();
        assert!(
            matches!(made, FirstLogin::Create { user, .. } if user.role == Role::Viewer && user.name == "ada@example.com")
        );
        let named = claims(Some(AssertedRole::Role(Role::Admin)), verified);
        let made = decide_first_login(no_candidates(true), &named).unwrap();
        assert!(
            matches!(made, FirstLogin::Create { user, .. } if user.role == Role::Lead),
            "a claim never stores the role admin"
        );
    }

    #[test]
    fn an_address_links_only_to_an_active_user_without_a_subject() {
        let with = |user: LoginUser| Candidates { by_email: Some(user), ..no_candidates(true) };
        let ada = claims(None, Some("ada@example.com"));
        assert!(matches!(decide_first_login(with(unlinked_user()), &ada), Ok(FirstLogin::Link(_))));
        assert!(decide_first_login(with(LoginUser { is_linked: true, ..unlinked_user() }), &ada).is_err());
        assert!(decide_first_login(with(LoginUser { is_active: false, ..unlinked_user() }), &ada).is_err());
        let known = Candidates { by_subject: Some(unlinked_user()), ..no_candidates(false) };
        assert!(matches!(decide_first_login(known, &claims(None, None)), Ok(FirstLogin::Existing(_))));
    }
}
