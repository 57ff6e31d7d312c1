//! Fetches the public keys of an issuer, with bounds on time and size, and without following redirects.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Url, header, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::platform::tls::http_client_builder;

use super::{issuer::Issuer, trusted_url::check_referred_url};

/// The timeout of discovering and fetching the keys together.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The largest response in bytes.
const MAX_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The HTTP client, created when it is first needed: most processes receive no token at all.
#[derive(Clone, Default)]
pub(super) struct Fetcher(std::sync::Arc<OnceLock<reqwest::Client>>);

impl Fetcher {
    /// The keys of an issuer as raw JSON. The error is a reason for the log.
    pub(super) async fn fetch_keys(&self, issuer: &Issuer) -> Result<Vec<Value>, String> {
        let fetched = tokio::time::timeout(TIMEOUT, self.find_keys(issuer)).await;
        fetched.unwrap_or_else(|_| Err(format!("no response within {} s", TIMEOUT.as_secs())))
    }

    async fn find_keys(&self, issuer: &Issuer) -> Result<Vec<Value>, String> {
        let url = match &issuer.jwks_url {
            Some(url) => check_referred_url(&issuer.issuer, url)?,
            None => self.discover_keys_url(issuer).await?,
        };
        let document: Document = self.get_json(url).await?;
        Ok(document.keys)
    }

    /// The URL of the keys from the issuer's discovery document. A document of another issuer is refused.
    async fn discover_keys_url(&self, issuer: &Issuer) -> Result<Url, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'));
        let found: Discovery = self.get_json(Url::parse(&url).map_err(|error| error.to_string())?).await?;
        if found.issuer != issuer.issuer {
            return Err(format!("{url} is the discovery document of {}", found.issuer));
        }
        check_referred_url(&issuer.issuer, &found.jwks_uri)
    }

    async fn get_json<T: DeserializeOwned>(&self, url: Url) -> Result<T, String> {
        let describe = |error: reqwest::Error| error.to_string();
        let request = self.http_client()?.get(url.clone()).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(describe)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("{url} responded with {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(describe)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(format!("{url} responded with more than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{url} responded with an invalid document: {error}"))
    }

    fn http_client(&self) -> Result<&reqwest::Client, String> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = http_client_builder()
            .map_err(|error| error.to_string())?
            .connect_timeout(TIMEOUT)
            .no_proxy() // a proxy variable must not decide whose keys are trusted
            .redirect(Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(self.0.get_or_init(|| client))
    }
}
