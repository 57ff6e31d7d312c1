//! The trusted issuers, parsed from the variable `OIDC_ISSUERS` at startup.

use std::{collections::BTreeMap, time::Duration};

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;

use crate::identity::{auth::Role, tenants::slug::is_slug};

use super::{
    browser::LoginConfig,
    issuer::{ClaimPath, Issuer, TenantSource},
    trusted_url::{check_referred_url, parse_safe_url},
};

/// The largest permitted clock skew of an issuer in seconds.
const MAX_SKEW_SECONDS: u64 = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerConfig {
    issuer: String,
    audience: OneOrMany,
    jwks_url: Option<String>,
    tenant: Option<String>,
    tenant_claim: Option<ClaimPath>,
    role_claim: Option<ClaimPath>,
    #[serde(default)]
    role_map: BTreeMap<String, Role>,
    #[serde(default)]
    allow_admin: bool,
    email_claim: Option<ClaimPath>,
    name_claim: Option<ClaimPath>,
    clock_skew_seconds: Option<u64>,
    algorithms: Option<Vec<Algorithm>>,
    login: Option<LoginConfig>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Parses the JSON array of issuers. The error completes a sentence about the variable.
pub fn parse_issuers(text: &str) -> Result<Vec<Issuer>, String> {
    let configs: Vec<IssuerConfig> =
        serde_json::from_str(text).map_err(|error| format!("is not a valid list of issuers: {error}"))?;
    let mut issuers = Vec::<Issuer>::new();
    for config in configs {
        let named = config.issuer.clone();
        if issuers.iter().any(|known| known.issuer == named) {
            return Err(format!("names {named} twice"));
        }
        issuers.push(config.into_issuer().map_err(|why| format!("describes {named} incorrectly: {why}"))?);
    }
    Ok(issuers)
}

impl IssuerConfig {
    fn into_issuer(self) -> Result<Issuer, String> {
        parse_safe_url(&self.issuer)?;
        if let Some(url) = &self.jwks_url {
            check_referred_url(&self.issuer, url)?;
        }
        let audience = self.audience.into_list();
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err("`audience` is empty".to_owned());
        }
        let algorithms = check_algorithms(self.algorithms)?;
        if self.role_claim.is_none() && !self.role_map.is_empty() {
            return Err("`role_map` requires `role_claim`".to_owned());
        }
        let skew = self.clock_skew_seconds.unwrap_or(60);
        if skew > MAX_SKEW_SECONDS {
            return Err(format!("`clock_skew_seconds` is more than {MAX_SKEW_SECONDS}"));
        }
        let login = self.login.map(|login| login.into_login(&self.issuer, &audience)).transpose()?;
        Ok(Issuer {
            tenant: parse_tenant_source(self.tenant, self.tenant_claim)?,
            issuer: self.issuer,
            audience,
            jwks_url: self.jwks_url,
            role_claim: self.role_claim,
            role_map: self.role_map,
            allow_admin: self.allow_admin,
            email_claim: self.email_claim.unwrap_or_else(|| ClaimPath("email".to_owned())),
            name_claim: self.name_claim.unwrap_or_else(|| ClaimPath("name".to_owned())),
            clock_skew: Duration::from_secs(skew),
            algorithms,
            login,
        })
    }
}

fn check_algorithms(configured: Option<Vec<Algorithm>>) -> Result<Vec<Algorithm>, String> {
    let algorithms =
        configured.unwrap_or_else(|| vec![Algorithm::RS256, Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA]);
    if algorithms.is_empty() {
        return Err("`algorithms` is empty".to_owned());
    }
    if let Some(shared) = algorithms.iter().find(|one| one.family() == AlgorithmFamily::Hmac) {
        return Err(format!("`algorithms` contains {shared:?}, whose key is a shared secret"));
    }
    Ok(algorithms)
}

fn parse_tenant_source(fixed: Option<String>, claim: Option<ClaimPath>) -> Result<TenantSource, String> {
    match (fixed, claim) {
        (Some(_), Some(_)) => Err("`tenant` and `tenant_claim` exclude each other".to_owned()),
        (Some(slug), None) if !is_slug(&slug) => Err("`tenant` is not a slug".to_owned()),
        (Some(slug), None) => Ok(TenantSource::Fixed(slug)),
        (None, claim) => Ok(TenantSource::Claim(claim.unwrap_or_else(|| ClaimPath("tenant".to_owned())))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with(more: &Value) -> Result<Vec<Issuer>, String> {
        let mut one = json!({"issuer": "https://login.example.com/", "audience": "ioc"});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse_issuers(&json!([one]).to_string())
    }

    #[test]
    fn every_optional_field_has_a_default() {
        let one = with(&json!({})).unwrap().remove(0);
        assert_eq!(one.audience, ["ioc"]);
        assert_eq!(one.tenant, TenantSource::Claim(ClaimPath("tenant".to_owned())));
        assert_eq!((one.role_claim, one.allow_admin), (None, false));
        assert_eq!(one.clock_skew, Duration::from_mins(1));
        let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA];
        assert_eq!(one.algorithms, algorithms);
    }

    #[test]
    fn an_invalid_issuer_is_refused() {
        let wrong = [
            json!({"issuer": "http://login.example.com"}),
            json!({"issuer": "login.example.com"}),
            json!({"issuer": "https://user:password@login.example.com"}),
            json!({"jwks_url": "http://login.example.com/keys"}),
            json!({"jwks_url": "https://127.0.0.1/keys"}),
            json!({"audience": []}),
            json!({"audience": ""}),
            json!({"algorithms": []}),
            json!({"algorithms": ["none"]}),
            json!({"algorithms": ["RS256", "HS256"]}),
            json!({"clock_skew_seconds": 301}),
            json!({"clock_skew_seconds": -1}),
            json!({"tenant": "Not A Slug"}),
            json!({"tenant": "one", "tenant_claim": "tenant"}),
            json!({"tenant_claim": "a..b"}),
            json!({"role_map": {"boss": "lead"}}),
            json!({"role_claim": "groups", "role_map": {"boss": "owner"}}),
            json!({"rolle": "x"}),
        ];
        for one in wrong {
            assert!(with(&one).is_err(), "{one}");
        }
        let twice = json!([{"issuer": "https://a", "audience": "x"}, {"issuer": "https://a", "audience": "y"}]);
        assert!(parse_issuers(&twice.to_string()).unwrap_err().contains("twice"));
    }

    #[test]
    fn plain_http_is_allowed_only_on_this_machine() {
        for issuer in ["http://127.0.0.1:8080", "http://localhost:8080/realms/one", "http://[::1]:8080"] {
            assert!(with(&json!({"issuer": issuer})).is_ok(), "{issuer}");
        }
        assert!(with(&json!({"issuer": "http://127.0.0.1.example.com"})).is_err());
    }

    #[test]
    fn a_path_finds_a_nested_claim_and_a_claim_whose_name_has_dots() {
        let claims = json!({"realm_access": {"roles": ["a"]}, "https://example.com/role": "b"});
        let find = |path: &str| ClaimPath(path.to_owned()).find_claim(claims.as_object().unwrap()).cloned();
        assert_eq!(find("realm_access.roles"), Some(json!(["a"])));
        assert_eq!(find("https://example.com/role"), Some(json!("b")));
        assert_eq!(find("realm_access.groups"), None);
        assert_eq!(find("realm_access.roles.0"), None);
    }
}
