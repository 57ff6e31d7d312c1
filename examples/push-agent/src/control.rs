//! The agent's requests to the control plane.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

/// A client of the control plane.
pub(crate) struct Control {
    http: Client,
    base: String,
    token: String,
}

impl Control {
    /// Registers with an API key. All further requests carry the agent's own token, which the response contains.
    pub(crate) async fn register(url: &str, key: &str, tenant: &str, name: &str, endpoint: &str) -> Result<Value> {
        let body = json!({
            "protocol_version": "1.0", "name": name, "version": "1.0.0", "agent_type": "implementer",
            "capabilities": ["code_generation"], "capacity": 1, "endpoint_url": endpoint,
        });
        let request = new_client()?.post(format!("{url}/api/v1/agents/external/register")).bearer_auth(key);
        let response = request.header("x-tenant-id", tenant).json(&body).send().await;
        let response = response.context("the control plane does not respond")?;
        let status = response.status();
        let registration: Value = response.json().await?;
        ensure!(status == 201, "registration failed: {registration}");
        Ok(registration)
    }

    /// A client with the token of a registration.
    pub(crate) fn new(url: &str, registration: &Value) -> Result<Self> {
        let text = |field: &str| registration[field].as_str().unwrap_or_default().to_owned();
        let base = format!("{url}/api/v1/agents/external/{}", text("agent_id"));
        Ok(Self { http: new_client()?, base, token: text("auth_token") })
    }

    /// Sends one request and returns status and body. Repeats it with the same body while the server is unreachable or
    /// fails; every call is idempotent.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut delay = Duration::from_millis(200);
        loop {
            let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
            let sent = self.http.post(url).header("x-agent-token", &self.token).json(body).send().await;
            if let Ok(response) = sent {
                let status = response.status().as_u16();
                if status < 500 && status != 429 {
                    return (status, response.json().await.unwrap_or_default());
                }
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(10));
        }
    }
}

fn new_client() -> Result<Client> {
    Ok(Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?)
}
