//! What a token says, once its signature was found to be good: for whom, until when, who, in which tenant, as what.

use serde_json::{Map, Value};

use crate::{auth::Role, clock::Time, id::TenantId};

use super::settings::{Issuer, TenantFrom};

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// The longest subject that is taken.
const MOST_SUBJECT: usize = 255;

/// What a token says of a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Said {
    pub(super) subject: String,
    /// A slug or a uuid.
    pub(super) tenant: String,
    /// `None`: the issuer says nothing of roles.
    pub(super) role: Option<Asserted>,
    /// Only an address that the issuer has verified, in lower case.
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    /// From this moment on the token is refused.
    pub(super) until: Time,
}

/// What an issuer that speaks of roles said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asserted {
    Role(Role),
    /// None that is known here.
    Unknown,
}

/// Reads the claims; otherwise says, for the log alone, what is wrong with them.
pub(super) fn read(issuer: &Issuer, claims: &Claims, now: Time) -> Result<Said, &'static str> {
    if text(claims.get("iss")) != Some(&issuer.issuer) {
        return Err("another issuer");
    }
    if !is_meant_for(issuer, claims) {
        return Err("another audience");
    }
    let until = in_time(issuer, claims, now)?;
    let subject = text(claims.get("sub")).ok_or("no subject")?;
    if subject.is_empty() || subject.len() > MOST_SUBJECT || subject.chars().any(char::is_control) {
        return Err("no fit subject");
    }
    let tenant = match &issuer.tenant {
        TenantFrom::Fixed(slug) => slug.clone(),
        TenantFrom::Claim(path) => tenant(path.find(claims)).ok_or("no tenant")?,
    };
    Ok(Said {
        subject: subject.to_owned(),
        tenant,
        role: role(issuer, claims),
        email: email(issuer, claims),
        name: name(issuer, claims),
        until,
    })
}

fn text(value: Option<&Value>) -> Option<&str> {
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

/// When the token ends, if it is good now. A time that is no number is as wrong as one that is over.
fn in_time(issuer: &Issuer, claims: &Claims, now: Time) -> Result<Time, &'static str> {
    let skew = issuer.clock_skew;
    let ends = moment(claims, "exp")?.ok_or("no end")?;
    let until = ends.checked_add_signed(chrono::TimeDelta::from_std(skew).unwrap_or_default()).ok_or("no fit end")?;
    if now >= until {
        return Err("expired");
    }
    for name in ["nbf", "iat"] {
        if moment(claims, name)?.is_some_and(|begins| begins > now + skew) {
            return Err("not yet good");
        }
    }
    Ok(until)
}

/// Seconds since 1970, whole or broken.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is no moment that chrono knows")]
fn moment(claims: &Claims, name: &str) -> Result<Option<Time>, &'static str> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite()).ok_or("a time that is no number")?;
    Time::from_timestamp_micros((seconds * 1e6) as i64).map(Some).ok_or("a time that is none")
}

fn tenant(claim: Option<&Value>) -> Option<String> {
    let named = text(claim)?.trim();
    if let Ok(id) = named.parse::<TenantId>() {
        return Some(id.to_string());
    }
    names_a_tenant(named).then(|| named.to_owned())
}

/// Whether a text has the form of a slug.
pub(super) fn names_a_tenant(text: &str) -> bool {
    (2..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The highest role that is named and may be given; an issuer that may not make admins does not name one.
fn role(issuer: &Issuer, claims: &Claims) -> Option<Asserted> {
    let claim = issuer.role_claim.as_ref()?.find(claims);
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
    Some(highest.map_or(Asserted::Unknown, Asserted::Role))
}

fn email(issuer: &Issuer, claims: &Claims) -> Option<String> {
    if claims.get("email_verified") != Some(&Value::Bool(true)) {
        return None;
    }
    let email = text(issuer.email_claim.find(claims))?.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let fits = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && (3..=254).contains(&email.chars().count())
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    fits.then_some(email)
}

fn name(issuer: &Issuer, claims: &Claims) -> Option<String> {
    let name = text(issuer.name_claim.find(claims))?;
    let shown: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn issuer(more: &Value) -> Issuer {
        let mut one = json!({"issuer": "https://login.example.com", "audience": ["ioc", "other"]});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        super::super::settings::parse(&json!([one]).to_string()).unwrap().remove(0)
    }

    fn now() -> Time {
        Time::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn said(issuer: &Issuer, more: &Value) -> Result<Said, &'static str> {
        let mut claims = json!({"iss": "https://login.example.com", "aud": "ioc", "sub": "one", "tenant": "acme",
                                "exp": 1_800_000_600});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(issuer, claims.as_object().unwrap(), now())
    }

    #[test]
    fn the_highest_known_role_wins_and_admin_needs_leave() {
        let plain = issuer(&json!({"role_claim": "groups", "role_map": {"boss": "lead", "root": "admin"}}));
        let role = |issuer: &Issuer, groups: Value| said(issuer, &json!({"groups": groups})).unwrap().role.unwrap();
        assert_eq!(role(&plain, json!("member")), Asserted::Role(Role::Member));
        assert_eq!(role(&plain, json!(["viewer", "boss", "else"])), Asserted::Role(Role::Lead));
        assert_eq!(role(&plain, json!(["root", "admin", "viewer"])), Asserted::Role(Role::Viewer));
        assert_eq!(role(&plain, json!(["root", "admin"])), Asserted::Unknown);
        assert_eq!(role(&plain, json!(7)), Asserted::Unknown);
        assert_eq!(said(&plain, &json!({})).unwrap().role, Some(Asserted::Unknown));
        let trusted = issuer(&json!({"role_claim": "groups", "allow_admin": true}));
        assert_eq!(role(&trusted, json!(["member", "admin"])), Asserted::Role(Role::Admin));
        assert_eq!(said(&issuer(&json!({})), &json!({"role": "lead"})).unwrap().role, None);
    }

    #[test]
    fn an_address_counts_only_when_it_was_verified() {
        let issuer = issuer(&json!({}));
        let email = |claims: Value| said(&issuer, &claims).unwrap().email;
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
        let tenant = |id: &str| said(&issuer, &json!({"org": {"id": id}})).map(|said| said.tenant);
        assert_eq!(tenant("acme-1"), Ok("acme-1".to_owned()));
        let uuid = "0193C0DE-0000-7000-8000-000000000000";
        assert_eq!(tenant(uuid), Ok(uuid.to_lowercase()));
        for unfit in ["", "a", "Acme", "a_b", "%", "a'; --"] {
            assert_eq!(tenant(unfit), Err("no tenant"), "{unfit}");
        }
    }

    proptest! {
        #[test]
        fn no_time_in_a_token_makes_us_fail_otherwise_than_by_refusing(exp in any::<f64>(), nbf in any::<i64>()) {
            let issuer = issuer(&json!({}));
            if let Ok(said) = said(&issuer, &json!({"exp": exp, "nbf": nbf})) {
                prop_assert!(said.until > now());
                prop_assert!(nbf <= 1_800_000_060);
            }
        }
    }
}
