//! The claims of a token whose signature is valid: audience, expiry, subject, tenant and role.

use serde_json::{Map, Value};

use crate::{
    identity::{auth::Role, tenants::slug::is_slug},
    kernel::{clock::Time, id::TenantId},
};

use super::issuer::{Issuer, TenantSource};

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// The longest accepted subject in bytes.
const MAX_SUBJECT_BYTES: usize = 255;

/// The validated claims of a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TokenClaims {
    pub(super) subject: String,
    /// A slug or a uuid.
    pub(super) tenant: String,
    /// `None` if the issuer is not configured to assert roles.
    pub(super) role: Option<AssertedRole>,
    /// The address in lower case, only if the issuer has verified it.
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    /// The token is refused from this time on.
    pub(super) until: Time,
}

/// The role that an issuer asserts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AssertedRole {
    Role(Role),
    /// No role that is known here.
    Unknown,
}

/// Validates the claims. The error is the reason for the log; the caller never sees it.
pub(super) fn validate_claims(issuer: &Issuer, claims: &Claims, now: Time) -> Result<TokenClaims, &'static str> {
    if as_text(claims.get("iss")) != Some(&issuer.issuer) {
        return Err("another issuer");
    }
    if !is_meant_for(issuer, claims) {
        return Err("another audience");
    }
    let until = check_times(issuer, claims, now)?;
    let subject = as_text(claims.get("sub")).ok_or("no subject")?;
    if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
        return Err("no fit subject");
    }
    let tenant = match &issuer.tenant {
        TenantSource::Fixed(slug) => slug.clone(),
        TenantSource::Claim(path) => parse_tenant(path.find_claim(claims)).ok_or("no tenant")?,
    };
    Ok(TokenClaims {
        subject: subject.to_owned(),
        tenant,
        role: parse_role(issuer, claims),
        email: parse_email(issuer, claims),
        name: parse_name(issuer, claims),
        until,
    })
}

fn as_text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn is_meant_for(issuer: &Issuer, claims: &Claims) -> bool {
    let is_ours = |value: &Value| value.as_str().is_some_and(|text| issuer.audience.iter().any(|ours| ours == text));
    match claims.get("aud") {
        Some(Value::Array(many)) => many.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    }
}

/// The expiry of the token, if it is valid now. A time that is not a number is refused like one that has passed.
fn check_times(issuer: &Issuer, claims: &Claims, now: Time) -> Result<Time, &'static str> {
    let skew = issuer.clock_skew;
    let ends = parse_time(claims, "exp")?.ok_or("no end")?;
    let until = ends.checked_add_signed(chrono::TimeDelta::from_std(skew).unwrap_or_default()).ok_or("no fit end")?;
    if now >= until {
        return Err("expired");
    }
    for name in ["nbf", "iat"] {
        if parse_time(claims, name)?.is_some_and(|begins| begins > now + skew) {
            return Err("not yet good");
        }
    }
    Ok(until)
}

/// Parses a claim of seconds since 1970, which may be fractional.
#[expect(clippy::cast_possible_truncation, reason = "a value out of range is no time that chrono can represent")]
fn parse_time(claims: &Claims, name: &str) -> Result<Option<Time>, &'static str> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite()).ok_or("a time that is no number")?;
    Time::from_timestamp_micros((seconds * 1e6) as i64).map(Some).ok_or("a time that is none")
}

fn parse_tenant(claim: Option<&Value>) -> Option<String> {
    let named = as_text(claim)?.trim();
    if let Ok(id) = named.parse::<TenantId>() {
        return Some(id.to_string());
    }
    is_slug(named).then(|| named.to_owned())
}

/// The highest asserted role that the issuer may grant. `admin` is ignored unless the issuer may grant it.
fn parse_role(issuer: &Issuer, claims: &Claims) -> Option<AssertedRole> {
    let claim = issuer.role_claim.as_ref()?.find_claim(claims);
    let known = |value: &Value| {
        let word = value.as_str()?;
        let role = issuer.role_map.get(word).copied().or_else(|| Role::parse(word))?;
        (role < Role::Admin || issuer.allow_admin).then_some(role)
    };
    let highest = match claim {
        Some(Value::Array(many)) => many.iter().filter_map(known).max(),
        Some(one) => known(one),
        None => None,
    };
    Some(highest.map_or(AssertedRole::Unknown, AssertedRole::Role))
}

fn parse_email(issuer: &Issuer, claims: &Claims) -> Option<String> {
    if claims.get("email_verified") != Some(&Value::Bool(true)) {
        return None;
    }
    let email = as_text(issuer.email_claim.find_claim(claims))?.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let fits = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && (3..=254).contains(&email.chars().count())
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    fits.then_some(email)
}

fn parse_name(issuer: &Issuer, claims: &Claims) -> Option<String> {
    let name = as_text(issuer.name_claim.find_claim(claims))?;
    let printable: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    let printable = printable.trim();
    (!printable.is_empty()).then(|| printable.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn issuer(more: &Value) -> Issuer {
        let mut one = json!({"issuer": "https://login.example.com", "audience": ["ioc", "other"]});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        super::super::settings::parse_issuers(&json!([one]).to_string()).unwrap().remove(0)
    }

    fn now() -> Time {
        Time::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn validate(issuer: &Issuer, more: &Value) -> Result<TokenClaims, &'static str> {
        let mut claims = json!({"iss": "https://login.example.com", "aud": "ioc", "sub": "one", "tenant": "acme",
                                "exp": 1_800_000_600});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        validate_claims(issuer, claims.as_object().unwrap(), now())
    }

    #[test]
    fn the_highest_known_role_wins_and_admin_needs_permission() {
        let plain = issuer(&json!({"role_claim": "groups", "role_map": {"boss": "lead", "root": "admin"}}));
        let role = |issuer: &Issuer, groups: Value| validate(issuer, &json!({"groups": groups})).unwrap().role.unwrap();
        assert_eq!(role(&plain, json!("member")), AssertedRole::Role(Role::Member));
        assert_eq!(role(&plain, json!(["viewer", "boss", "else"])), AssertedRole::Role(Role::Lead));
        assert_eq!(role(&plain, json!(["root", "admin", "viewer"])), AssertedRole::Role(Role::Viewer));
        assert_eq!(role(&plain, json!(["root", "admin"])), AssertedRole::Unknown);
        assert_eq!(role(&plain, json!(7)), AssertedRole::Unknown);
        assert_eq!(validate(&plain, &json!({})).unwrap().role, Some(AssertedRole::Unknown));
        let trusted = issuer(&json!({"role_claim": "groups", "allow_admin": true}));
        assert_eq!(role(&trusted, json!(["member", "admin"])), AssertedRole::Role(Role::Admin));
        assert_eq!(validate(&issuer(&json!({})), &json!({"role": "lead"})).unwrap().role, None);
    }

    #[test]
    fn an_email_address_counts_only_if_it_is_verified() {
        let issuer = issuer(&json!({}));
        let email = |claims: Value| validate(&issuer, &claims).unwrap().email;
        let verified = json!({"email": " Ada@Example.com ", "email_verified": true});
        assert_eq!(email(verified).as_deref(), Some("ada@example.com"));
        for unfit in [json!(false), json!("true"), json!(1), Value::Null] {
            assert_eq!(email(json!({"email": "ada@example.com", "email_verified": unfit})), None);
        }
        for unfit in ["ada", "@example.com", "ada@", "a b@example.com", "a@b@c", ""] {
            assert_eq!(email(json!({"email": unfit, "email_verified": true})), None, "{unfit}");
        }
    }

    #[test]
    fn a_tenant_is_a_slug_or_a_uuid() {
        let issuer = issuer(&json!({"tenant_claim": "org.id"}));
        let tenant = |id: &str| validate(&issuer, &json!({"org": {"id": id}})).map(|claims| claims.tenant);
        assert_eq!(tenant("acme-1"), Ok("acme-1".to_owned()));
        let uuid = "0193C0DE-0000-7000-8000-000000000000";
        assert_eq!(tenant(uuid), Ok(uuid.to_lowercase()));
        for unfit in ["", "a", "Acme", "a_b", "%", "a'; --"] {
            assert_eq!(tenant(unfit), Err("no tenant"), "{unfit}");
        }
    }

    proptest! {
        #[test]
        fn any_time_claim_is_either_valid_or_refused(exp in any::<f64>(), nbf in any::<i64>()) {
            let issuer = issuer(&json!({}));
            if let Ok(claims) = validate(&issuer, &json!({"exp": exp, "nbf": nbf})) {
                prop_assert!(claims.until > now());
                prop_assert!(nbf <= 1_800_000_060);
            }
        }
    }
}
