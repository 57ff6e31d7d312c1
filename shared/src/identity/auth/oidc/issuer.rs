//! The data of a trusted issuer.

use std::{collections::BTreeMap, time::Duration};

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::auth::Role;

/// A trusted issuer, with every default filled in.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The identifier, byte for byte as in the claim `iss` of its tokens.
    pub issuer: String,
    /// The accepted audiences. A token must name one of them.
    pub audience: Vec<String>,
    /// The URL of its keys; `None`: the URL in its discovery document.
    pub jwks_url: Option<String>,
    pub tenant: TenantSource,
    /// The claim with the roles; `None`: the user's row has the role.
    pub role_claim: Option<ClaimPath>,
    /// Maps values of the role claim to roles.
    pub role_map: BTreeMap<String, Role>,
    pub allow_admin: bool,
    pub email_claim: ClaimPath,
    pub name_claim: ClaimPath,
    pub clock_skew: Duration,
    pub algorithms: Vec<Algorithm>,
    /// The login with a browser; `None`: users obtain tokens by other means.
    pub login: Option<BrowserLogin>,
}

/// The source of a user's tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TenantSource {
    /// A claim with the slug or the uuid.
    Claim(ClaimPath),
    /// All users of the issuer belong to the tenant with this slug or uuid.
    Fixed(String),
}

/// The path of a claim: `role`, or `realm_access.roles` for a nested claim.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct ClaimPath(pub(super) String);

impl TryFrom<String> for ClaimPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.split('.').any(str::is_empty) {
            return Err("the path of a claim must have a name between its dots");
        }
        Ok(Self(text))
    }
}

impl ClaimPath {
    /// The claim at this path. A claim whose name itself contains dots, such as a URL, takes precedence.
    pub fn find_claim<'a>(
        &self,
        claims: &'a serde_json::Map<String, serde_json::Value>,
    ) -> Option<&'a serde_json::Value> {
        if let Some(value) = claims.get(&self.0) {
            return Some(value);
        }
        let mut names = self.0.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }
}

/// The browser login of an issuer, with every default filled in.
#[derive(Clone, Debug)]
pub struct BrowserLogin {
    pub name: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub token: LoginToken,
    pub parameters: BTreeMap<String, String>,
    /// The origins that the page calls during login: the issuer's own, and others that its discovery document refers
    /// to.
    pub origins: Vec<String>,
}

/// The kind of token that a page sends to the API.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginToken {
    /// The ID token, whose audience is the client.
    IdToken,
    /// The access token, whose audience is an API. It must be a JWT.
    AccessToken,
}
