//! Fetching the public keys of an issuer: bounded in time and size, without following anybody elsewhere.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Url, header, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::settings::{Issuer, may_lead_to};

/// How long finding and fetching the keys may take together.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The most bytes of an answer.
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The client, made when it is first needed: most processes see no token at all.
#[derive(Clone, Default)]
pub(super) struct Fetcher(std::sync::Arc<OnceLock<reqwest::Client>>);

impl Fetcher {
    /// The keys of an issuer, each as it is written there; otherwise, for the log, why not.
    pub(super) async fn keys(&self, issuer: &Issuer) -> Result<Vec<Value>, String> {
        let fetched = tokio::time::timeout(TIMEOUT, self.find(issuer)).await;
        fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())))
    }

    async fn find(&self, issuer: &Issuer) -> Result<Vec<Value>, String> {
        let url = match &issuer.jwks_url {
            Some(url) => may_lead_to(&issuer.issuer, url)?,
            None => self.discover(issuer).await?,
        };
        let document: Document = self.get(url).await?;
        Ok(document.keys)
    }

    /// Where the keys are, as the issuer's own document says. One that speaks for another issuer is not believed.
    async fn discover(&self, issuer: &Issuer) -> Result<Url, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'));
        let found: Discovery = self.get(Url::parse(&url).map_err(|error| error.to_string())?).await?;
        if found.issuer != issuer.issuer {
            return Err(format!("{url} is the document of {}", found.issuer));
        }
        may_lead_to(&issuer.issuer, &found.jwks_uri)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, String> {
        let told = |error: reqwest::Error| error.to_string();
        let request = self.client()?.get(url.clone()).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(told)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("{url} answers with {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(format!("{url} answers with more than {MOST_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{url} answers with what is no such document: {error}"))
    }

    fn client(&self) -> Result<&reqwest::Client, String> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = reqwest::Client::builder()
            .connect_timeout(TIMEOUT)
            .no_proxy() // who is trusted is not decided by a variable that was meant for others
            .redirect(Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(self.0.get_or_init(|| client))
    }
}
