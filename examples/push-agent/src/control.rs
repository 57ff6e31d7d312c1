//! The calls that the agent makes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

/// The control plane, as this agent calls it.
pub(crate) struct Control {
    http: Client,
    base: String,
    token: String,
}

impl Control {
    /// Registers with a key; from then on the agent calls with a token of its own.
    pub(crate) async fn register(
        url: &str,
        key: &str,
        tenant: &str,
        name: &str,
        endpoint: &str,
    ) -> Result<(Self, Value)> {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let body = json!({
            "protocol_version": "1.0", "name": name, "version": "1.0.0", "agent_type": "implementer",
            "capabilities": ["code_generation"], "capacity": 1, "endpoint_url": endpoint,
        });
        let place = format!("{url}/api/v1/agents/external");
        let request = http.post(format!("{place}/register")).bearer_auth(key).header("x-tenant-id", tenant).json(&body);
        let answer = request.send().await.context("the control plane does not answer")?;
        let status = answer.status();
        let made: Value = answer.json().await?;
        ensure!(status == 201, "not registered: {made}");
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        Ok((Self { http, base: format!("{place}/{}", text("agent_id")), token: text("auth_token") }, made))
    }

    /// One call, made again with the same body while the server fails; everything here may be repeated.
    pub(crate) async fn call(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut pause = Duration::from_millis(200);
        loop {
            let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
            let sent = self.http.post(url).header("x-agent-token", &self.token).json(body).send().await;
            if let Ok(answer) = sent {
                let status = answer.status().as_u16();
                if status < 500 && status != 429 {
                    return (status, answer.json().await.unwrap_or_default());
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }
}
