//! The API calls of the demo, made like those of any client.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::env_file::EnvFile;

pub(super) struct Api {
    http: Client,
    env: EnvFile,
}

impl Api {
    pub(super) fn new(env: EnvFile) -> Result<Self> {
        Ok(Self { http: Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?, env })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.env.url);
        let mut request = self.http.request(method, &url).bearer_auth(&self.env.key);
        request = request.header("X-Tenant-ID", &self.env.tenant);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await;
        let answer = answer.with_context(|| format!("{url} does not answer: does `make up` run?"))?;
        let status = answer.status();
        let content: Value = answer.json().await.with_context(|| format!("{url} answered {status} without JSON"))?;
        if !status.is_success() {
            let text = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
            bail!("{url} answered {status}, {}: {}\n{}", text("code"), text("detail"), content["errors"]);
        }
        Ok(content)
    }
}
