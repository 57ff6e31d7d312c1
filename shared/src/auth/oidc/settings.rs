//! The issuers that are trusted, as the variable `OIDC_ISSUERS` describes them; what is wrong is refused at the start.

use std::{collections::BTreeMap, time::Duration};

use jsonwebtoken::Algorithm;
use reqwest::Url;
use serde::Deserialize;

use crate::auth::Role;

use super::browser::{self, Login};

/// The most that the clock of an issuer may differ from ours.
const MOST_SKEW: u64 = 300;

/// One issuer, with every default filled in.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// As the tokens say it, byte by byte.
    pub issuer: String,
    /// A token must be meant for one of these.
    pub audience: Vec<String>,
    /// Where its keys are; `None`: its discovery document says where.
    pub jwks_url: Option<String>,
    pub tenant: TenantFrom,
    /// Where the roles stand; `None`: the user's row says the role.
    pub role_claim: Option<Path>,
    /// The roles that other words of the claim stand for.
    pub role_map: BTreeMap<String, Role>,
    pub allow_admin: bool,
    pub email_claim: Path,
    pub name_claim: Path,
    pub clock_skew: Duration,
    pub algorithms: Vec<Algorithm>,
    /// How people log in there with a browser; `None`: they come with tokens of their own.
    pub login: Option<Login>,
}

/// What says which tenant somebody belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TenantFrom {
    /// A claim, with the slug or the uuid.
    Claim(Path),
    /// All whom the issuer vouches for belong to this one.
    Fixed(String),
}

/// The path of a claim: `role`, or `realm_access.roles` for a claim inside of another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Path(String);

impl TryFrom<String> for Path {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.split('.').any(str::is_empty) {
            return Err("the path of a claim has names between its dots");
        }
        Ok(Self(text))
    }
}

impl Path {
    /// The claim that stands there. A claim whose own name has dots in it, such as a URL, goes before a path.
    pub fn find<'a>(&self, claims: &'a serde_json::Map<String, serde_json::Value>) -> Option<&'a serde_json::Value> {
        if let Some(value) = claims.get(&self.0) {
            return Some(value);
        }
        let mut names = self.0.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    audience: OneOrMany,
    jwks_url: Option<String>,
    tenant: Option<String>,
    tenant_claim: Option<Path>,
    role_claim: Option<Path>,
    #[serde(default)]
    role_map: BTreeMap<String, Role>,
    #[serde(default)]
    allow_admin: bool,
    email_claim: Option<Path>,
    name_claim: Option<Path>,
    clock_skew_seconds: Option<u64>,
    algorithms: Option<Vec<Algorithm>>,
    login: Option<browser::Written>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Reads the JSON array of issuers; otherwise says what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Issuer>, String> {
    let written: Vec<Written> = serde_json::from_str(text).map_err(|error| format!("is not as described: {error}"))?;
    let mut issuers = Vec::<Issuer>::new();
    for one in written {
        let named = one.issuer.clone();
        if issuers.iter().any(|known| known.issuer == named) {
            return Err(format!("names {named} twice"));
        }
        issuers.push(one.check().map_err(|why| format!("describes {named} wrongly: {why}"))?);
    }
    Ok(issuers)
}

impl Written {
    fn check(self) -> Result<Issuer, String> {
        is_safe(&self.issuer)?;
        if let Some(url) = &self.jwks_url {
            may_lead_to(&self.issuer, url)?;
        }
        let audience = match self.audience {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err("`audience` names nobody".to_owned());
        }
        let algorithms = self
            .algorithms
            .unwrap_or_else(|| vec![Algorithm::RS256, Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA]);
        if algorithms.is_empty() {
            return Err("`algorithms` is empty".to_owned());
        }
        if let Some(shared) = algorithms.iter().find(|one| one.family() == jsonwebtoken::AlgorithmFamily::Hmac) {
            return Err(format!("`algorithms` holds {shared:?}, whose key is a secret that both sides know"));
        }
        if self.role_claim.is_none() && !self.role_map.is_empty() {
            return Err("`role_map` is of no use without `role_claim`".to_owned());
        }
        let skew = self.clock_skew_seconds.unwrap_or(60);
        if skew > MOST_SKEW {
            return Err(format!("`clock_skew_seconds` is more than {MOST_SKEW}"));
        }
        let login = self.login.map(|login| login.check(&self.issuer, &audience)).transpose()?;
        Ok(Issuer {
            tenant: tenant_from(self.tenant, self.tenant_claim)?,
            issuer: self.issuer,
            audience,
            jwks_url: self.jwks_url,
            role_claim: self.role_claim,
            role_map: self.role_map,
            allow_admin: self.allow_admin,
            email_claim: self.email_claim.unwrap_or_else(|| Path("email".to_owned())),
            name_claim: self.name_claim.unwrap_or_else(|| Path("name".to_owned())),
            clock_skew: Duration::from_secs(skew),
            algorithms,
            login,
        })
    }
}

fn tenant_from(fixed: Option<String>, claim: Option<Path>) -> Result<TenantFrom, String> {
    match (fixed, claim) {
        (Some(_), Some(_)) => Err("`tenant` and `tenant_claim` exclude each other".to_owned()),
        (Some(slug), None) if !super::claims::names_a_tenant(&slug) => Err("`tenant` is no slug".to_owned()),
        (Some(slug), None) => Ok(TenantFrom::Fixed(slug)),
        (None, claim) => Ok(TenantFrom::Claim(claim.unwrap_or_else(|| Path("tenant".to_owned())))),
    }
}

/// Where an issuer or its keys may be: behind TLS, or on this very machine.
fn is_safe(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("{url} is no URL: {error}"))?;
    let plain = parsed.scheme() == "http" && is_loopback(&parsed);
    if parsed.scheme() != "https" && !plain {
        return Err(format!("{url} is not https"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err(format!("{url} has a user, a password or a fragment in it"));
    }
    Ok(parsed)
}

/// Whether the keys of an issuer may be fetched from there: only an issuer on this machine may send us to this machine.
pub(super) fn may_lead_to(issuer: &str, url: &str) -> Result<Url, String> {
    let target = is_safe(url)?;
    let own = Url::parse(issuer).is_ok_and(|issuer| is_loopback(&issuer));
    if is_loopback(&target) && !own {
        return Err(format!("{url} is on this machine, and the issuer is not"));
    }
    Ok(target)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with(more: &Value) -> Result<Vec<Issuer>, String> {
        let mut one = json!({"issuer": "https://login.example.com/", "audience": "ioc"});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(&json!([one]).to_string())
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let one = with(&json!({})).unwrap().remove(0);
        assert_eq!(one.audience, ["ioc"]);
        assert_eq!(one.tenant, TenantFrom::Claim(Path("tenant".to_owned())));
        assert_eq!((one.role_claim, one.allow_admin), (None, false));
        assert_eq!(one.clock_skew, Duration::from_mins(1));
        let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::PS256, Algorithm::EdDSA];
        assert_eq!(one.algorithms, algorithms);
    }

    #[test]
    fn what_is_wrong_is_refused() {
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
        assert!(parse(&twice.to_string()).unwrap_err().contains("twice"));
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for issuer in ["http://127.0.0.1:8080", "http://localhost:8080/realms/one", "http://[::1]:8080"] {
            assert!(with(&json!({"issuer": issuer})).is_ok(), "{issuer}");
        }
        assert!(with(&json!({"issuer": "http://127.0.0.1.example.com"})).is_err());
    }

    #[test]
    fn a_path_finds_a_claim_inside_of_another_and_one_whose_name_has_dots() {
        let claims = json!({"realm_access": {"roles": ["a"]}, "https://example.com/role": "b"});
        let find = |path: &str| Path(path.to_owned()).find(claims.as_object().unwrap()).cloned();
        assert_eq!(find("realm_access.roles"), Some(json!(["a"])));
        assert_eq!(find("https://example.com/role"), Some(json!("b")));
        assert_eq!(find("realm_access.groups"), None);
        assert_eq!(find("realm_access.roles.0"), None);
    }
}
