//! Login at an issuer with a browser: the client settings of a page, from the issuer's entry `login`.
//!
//! A page is a public client: it has no secret, and none can be configured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    issuer::{BrowserLogin, Issuer, LoginToken},
    trusted_url::check_referred_url,
};

/// The default scopes of a login.
const DEFAULT_SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// The parameters that a page sets itself in its requests to an issuer, and that no configuration may set.
const RESERVED_PARAMETERS: [&str; 15] = [
    "client_assertion",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// An OpenID Connect issuer at which people may log in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoginIssuer {
    /// The identifier of the issuer; its discovery document is below this URL.
    pub issuer: String,
    /// The display name of the issuer.
    pub name: String,
    /// The public client, whose redirect URIs include `/login/` of the dashboard.
    pub client_id: String,
    /// The scopes to request.
    pub scopes: Vec<String>,
    /// The kind of token that the API accepts.
    pub token: LoginToken,
    /// The audiences of which the API accepts tokens.
    pub audience: Vec<String>,
    /// Further parameters of each request to the issuer.
    pub parameters: BTreeMap<String, String>,
}

/// The public description of an issuer; `None` if it does not support login with a browser.
pub(super) fn public_login(issuer: &Issuer) -> Option<LoginIssuer> {
    let login = issuer.login.clone()?;
    Some(LoginIssuer {
        issuer: issuer.issuer.clone(),
        name: login.name,
        client_id: login.client_id,
        scopes: login.scopes,
        token: login.token,
        audience: issuer.audience.clone(),
        parameters: login.parameters,
    })
}

/// The origins that the dashboard's pages may call during login, without duplicates.
pub fn login_origins(issuers: &[Issuer]) -> Vec<String> {
    let mut origins: Vec<_> =
        issuers.iter().filter_map(|issuer| issuer.login.as_ref()).flat_map(|login| login.origins.clone()).collect();
    origins.sort();
    origins.dedup();
    origins
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginConfig {
    client_id: String,
    name: Option<String>,
    scopes: Option<Vec<String>>,
    token: Option<LoginToken>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    origins: Vec<String>,
}

impl LoginConfig {
    pub(super) fn into_login(self, issuer: &str, audience: &[String]) -> Result<BrowserLogin, String> {
        let own = check_referred_url(issuer, issuer)?;
        if self.client_id.trim().is_empty() {
            return Err("`login.client_id` is empty".to_owned());
        }
        let name = self.name.unwrap_or_else(|| own.host_str().unwrap_or_default().to_owned());
        if name.trim().is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err("`login.name` must have 1 to 60 characters".to_owned());
        }
        let scopes = self.scopes.unwrap_or_else(|| DEFAULT_SCOPES.map(str::to_owned).to_vec());
        if !scopes.iter().any(|scope| scope == "openid") {
            return Err("`login.scopes` must contain openid".to_owned());
        }
        if let Some(scope) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(format!("`login.scopes` contains {scope:?}, which is not a valid scope"));
        }
        if let Some(name) = self.parameters.keys().find(|name| RESERVED_PARAMETERS.contains(&name.as_str())) {
            return Err(format!("`login.parameters` contains {name}, which pages set themselves"));
        }
        let mut origins = vec![own.origin().ascii_serialization()];
        for origin in self.origins {
            let exact = check_referred_url(issuer, &origin)?.origin().ascii_serialization() == origin;
            if !exact {
                return Err(format!("`login.origins` contains {origin}, which is not an origin such as https://host"));
            }
            origins.push(origin);
        }
        let token = choose_token(self.token, &self.client_id, audience)?;
        Ok(BrowserLogin { name, client_id: self.client_id, scopes, token, parameters: self.parameters, origins })
    }
}

/// The token that a page sends. The audience of an ID token is always its client, so the API must accept that audience.
fn choose_token(chosen: Option<LoginToken>, client_id: &str, audience: &[String]) -> Result<LoginToken, String> {
    let is_ours = audience.iter().any(|ours| ours == client_id);
    match chosen {
        Some(LoginToken::IdToken) if !is_ours => {
            Err("`login.token` is id_token, but `audience` does not contain `login.client_id`".to_owned())
        }
        Some(chosen) => Ok(chosen),
        None if is_ours => Ok(LoginToken::IdToken),
        None => Ok(LoginToken::AccessToken),
    }
}

/// Printable ASCII without blanks, quotes and backslashes (RFC 6749, 3.3).
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::settings::parse_issuers, *};

    fn with(login: &Value) -> Result<Issuer, String> {
        let one = json!({"issuer": "https://login.example.com/realms/one", "audience": ["ioc", "api"], "login": login});
        parse_issuers(&json!([one]).to_string()).map(|mut issuers| issuers.remove(0))
    }

    #[test]
    fn every_optional_field_of_a_login_has_a_default() {
        let issuer = with(&json!({"client_id": "ioc"})).unwrap();
        let login = public_login(&issuer).unwrap();
        assert_eq!((login.name.as_str(), login.token), ("login.example.com", LoginToken::IdToken));
        assert_eq!(login.scopes, ["openid", "profile", "email"]);
        assert_eq!(login.audience, ["ioc", "api"]);
        assert_eq!(login_origins(&[issuer.clone(), issuer]), ["https://login.example.com"]);
    }

    #[test]
    fn the_token_of_a_login_has_an_accepted_audience() {
        let sent = |login: Value| with(&login).map(|issuer| issuer.login.unwrap().token);
        assert_eq!(sent(json!({"client_id": "dashboard"})), Ok(LoginToken::AccessToken));
        assert_eq!(sent(json!({"client_id": "ioc", "token": "access_token"})), Ok(LoginToken::AccessToken));
        assert!(sent(json!({"client_id": "dashboard", "token": "id_token"})).unwrap_err().contains("audience"));
    }

    #[test]
    fn an_invalid_login_is_refused() {
        let wrong = [
            json!({}),
            json!({"client_id": " "}),
            json!({"client_id": "ioc", "client_secret": "never in a page"}),
            json!({"client_id": "ioc", "name": ""}),
            json!({"client_id": "ioc", "scopes": ["email"]}),
            json!({"client_id": "ioc", "scopes": ["openid", "two words"]}),
            json!({"client_id": "ioc", "token": "refresh_token"}),
            json!({"client_id": "ioc", "parameters": {"redirect_uri": "https://elsewhere.example.com"}}),
            json!({"client_id": "ioc", "parameters": {"client_secret": "x"}}),
            json!({"client_id": "ioc", "origins": ["https://token.example.com/path"]}),
            json!({"client_id": "ioc", "origins": ["http://token.example.com"]}),
            json!({"client_id": "ioc", "origins": ["https://127.0.0.1"]}),
            json!({"client_id": "ioc", "origins": ["*"]}),
        ];
        for one in wrong {
            assert!(with(&one).is_err(), "{one}");
        }
    }

    #[test]
    fn pages_may_call_the_issuer_and_the_configured_origins() {
        let issuer = with(&json!({"client_id": "ioc", "origins": ["https://token.example.com"]})).unwrap();
        assert_eq!(login_origins(&[issuer]), ["https://login.example.com", "https://token.example.com"]);
    }
}
