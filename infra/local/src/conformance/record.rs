//! Records a passed run with the registered agent, by a lead's key.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Client;
use serde_json::{Value, json};
use shared::kernel::id::AgentId;

use crate::console::print_line;

/// Where a passed run is recorded.
pub(super) struct Record {
    http: Client,
    /// The URL of the API.
    url: String,
    key: String,
    tenant: Option<String>,
    agent: AgentId,
}

impl Record {
    pub(super) fn new(url: &str, key: String, tenant: Option<String>, agent: AgentId) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, url: format!("{}/api/v1", url.trim_end_matches('/')), key, tenant, agent })
    }

    /// Refuses a credential that may not change the agent, by a change of nothing.
    pub(super) async fn check_permission(&self) -> Result<()> {
        self.call(json!({})).await.map(drop)
    }

    pub(super) async fn save(&self) -> Result<()> {
        let agent = self.call(json!({"conformance_passed": true})).await?;
        let (name, at) = (agent["name"].as_str().unwrap_or_default(), agent["conformance_passed_at"].as_str());
        print_line(format!("recorded with {name}: passed at {}", at.context("the server records no run")?));
        Ok(())
    }

    /// Changes the agent, and returns it.
    async fn call(&self, change: Value) -> Result<Value> {
        let mut request = self.http.patch(format!("{}/agents/{}", self.url, self.agent)).bearer_auth(&self.key);
        if let Some(tenant) = &self.tenant {
            request = request.header("x-tenant-id", tenant);
        }
        let response = request.json(&change).send().await.context("the server at IOC_URL does not answer")?;
        let status = response.status();
        let answer: Value = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        if !status.is_success() {
            let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
            bail!("a run cannot be recorded with the agent {}: {} {}", self.agent, text("detail"), text("remedy"));
        }
        Ok(answer)
    }
}
