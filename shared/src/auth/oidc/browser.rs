//! Logging in at an issuer with a browser: what a page has to know of it, as its entry under `login` says.
//!
//! A page is a public client: there is no secret here, and none could be configured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::settings::{Issuer, may_lead_to};

/// What is asked for where nothing else is configured.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// What a page says itself in its requests to an issuer, and no configuration may say for it.
const OWN: [&str; 15] = [
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

/// How people log in at an issuer, with every default filled in.
#[derive(Clone, Debug)]
pub struct Login {
    pub name: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub token: LoginToken,
    pub parameters: BTreeMap<String, String>,
    /// What the page calls on the way: the issuer's own origin, and others that its discovery document leads to.
    pub origins: Vec<String>,
}

/// The token of an issuer that is sent to the API.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginToken {
    /// It is meant for the client itself.
    IdToken,
    /// It is meant for an API, and has to be a JWT.
    AccessToken,
}

/// An issuer with which people may log in, as a page has to know it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoginIssuer {
    /// Its identifier; its discovery document stands below it.
    pub issuer: String,
    /// What people call it.
    pub name: String,
    /// A public client of it, which may be sent back to `/login/` of the dashboard.
    pub client_id: String,
    /// What to ask for.
    pub scopes: Vec<String>,
    /// Which of its tokens the API takes.
    pub token: LoginToken,
    /// The API takes tokens that are meant for one of these.
    pub audience: Vec<String>,
    /// What to say besides in each request to the issuer.
    pub parameters: BTreeMap<String, String>,
}

/// The issuer as pages are told of it, where it is for logging in.
pub(super) fn offered(issuer: &Issuer) -> Option<LoginIssuer> {
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

/// The origins that the dashboard's pages may call to log somebody in, each once.
pub fn origins(issuers: &[Issuer]) -> Vec<String> {
    let mut origins: Vec<_> =
        issuers.iter().filter_map(|issuer| issuer.login.as_ref()).flat_map(|login| login.origins.clone()).collect();
    origins.sort();
    origins.dedup();
    origins
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    client_id: String,
    name: Option<String>,
    scopes: Option<Vec<String>>,
    token: Option<LoginToken>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    origins: Vec<String>,
}

impl Written {
    pub(super) fn check(self, issuer: &str, audience: &[String]) -> Result<Login, String> {
        let own = may_lead_to(issuer, issuer)?;
        if self.client_id.trim().is_empty() {
            return Err("`login.client_id` is empty".to_owned());
        }
        let name = self.name.unwrap_or_else(|| own.host_str().unwrap_or_default().to_owned());
        if name.trim().is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err("`login.name` must have 1 to 60 characters".to_owned());
        }
        let scopes = self.scopes.unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec());
        if !scopes.iter().any(|scope| scope == "openid") {
            return Err("`login.scopes` must name openid".to_owned());
        }
        if let Some(scope) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(format!("`login.scopes` holds {scope:?}, which is no scope"));
        }
        if let Some(name) = self.parameters.keys().find(|name| OWN.contains(&name.as_str())) {
            return Err(format!("`login.parameters` holds {name}, which pages say themselves"));
        }
        let mut origins = vec![own.origin().ascii_serialization()];
        for origin in self.origins {
            let exact = may_lead_to(issuer, &origin)?.origin().ascii_serialization() == origin;
            if !exact {
                return Err(format!("`login.origins` holds {origin}, which is no origin such as https://host"));
            }
            origins.push(origin);
        }
        let token = token(self.token, &self.client_id, audience)?;
        Ok(Login { name, client_id: self.client_id, scopes, token, parameters: self.parameters, origins })
    }
}

/// An ID token is meant for the client that asked for it, always: one that we take for nobody's would let nobody in.
fn token(chosen: Option<LoginToken>, client_id: &str, audience: &[String]) -> Result<LoginToken, String> {
    let is_ours = audience.iter().any(|ours| ours == client_id);
    match chosen {
        Some(LoginToken::IdToken) if !is_ours => {
            Err("`login.token` is id_token, and `audience` does not name `login.client_id`".to_owned())
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

    use super::{super::settings::parse, *};

    fn with(login: &Value) -> Result<Issuer, String> {
        let one = json!({"issuer": "https://login.example.com/realms/one", "audience": ["ioc", "api"], "login": login});
        parse(&json!([one]).to_string()).map(|mut issuers| issuers.remove(0))
    }

    #[test]
    fn what_is_left_out_of_a_login_has_a_default() {
        let issuer = with(&json!({"client_id": "ioc"})).unwrap();
        let told = offered(&issuer).unwrap();
        assert_eq!((told.name.as_str(), told.token), ("login.example.com", LoginToken::IdToken));
        assert_eq!(told.scopes, ["openid", "profile", "email"]);
        assert_eq!(told.audience, ["ioc", "api"]);
        assert_eq!(origins(&[issuer.clone(), issuer]), ["https://login.example.com"]);
    }

    #[test]
    fn the_token_that_is_sent_is_one_that_is_meant_for_us() {
        let sent = |login: Value| with(&login).map(|issuer| issuer.login.unwrap().token);
        assert_eq!(sent(json!({"client_id": "dashboard"})), Ok(LoginToken::AccessToken));
        assert_eq!(sent(json!({"client_id": "ioc", "token": "access_token"})), Ok(LoginToken::AccessToken));
        assert!(sent(json!({"client_id": "dashboard", "token": "id_token"})).unwrap_err().contains("audience"));
    }

    #[test]
    fn what_is_wrong_in_a_login_is_refused() {
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
    fn pages_may_call_the_issuer_and_what_is_named_besides() {
        let issuer = with(&json!({"client_id": "ioc", "origins": ["https://token.example.com"]})).unwrap();
        assert_eq!(origins(&[issuer]), ["https://login.example.com", "https://token.example.com"]);
    }
}
