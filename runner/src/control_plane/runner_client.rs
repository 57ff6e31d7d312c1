//! The calls of the runner itself: enrolling, registering, heartbeats, and rotating its credential.

use serde_json::json;

use super::{
    client::{CALL_TIME, read_json, send},
    credential::SharedCredential,
    error::CallError,
    wire::{
        CreatedEnrolment, HeartbeatAnswer, RegisteredRunner, RotatedCredential, RunnerHeartbeat, RunnerRegistration,
    },
};

/// For how long an enrolment that the runner creates for itself is valid, in seconds.
const OWN_ENROLMENT: u32 = 300;

/// Creates a token for one runner of a pool, with the key of a lead.
pub async fn create_enrolment(http: &reqwest::Client, url: &str, key: &str, pool: &str) -> Result<String, CallError> {
    let body = json!({"pool": pool, "uses": "one", "expires_in_seconds": OWN_ENROLMENT});
    let request = http.post(runners_url(url, "enrolments")).bearer_auth(key).json(&body);
    read_json::<CreatedEnrolment>(send(request, CALL_TIME).await?).await.map(|made| made.token)
}

/// Registers with an enrolment token, or says with the runner's own credential what has changed.
pub async fn register_runner(
    http: &reqwest::Client,
    url: &str,
    credential: &str,
    registration: &RunnerRegistration,
) -> Result<RegisteredRunner, CallError> {
    let request = http.post(runners_url(url, "register")).bearer_auth(credential).json(registration);
    read_json(send(request, CALL_TIME).await?).await
}

fn runners_url(url: &str, rest: &str) -> String {
    format!("{}/api/v1/runners/{rest}", url.trim_end_matches('/'))
}

/// The control plane, as the runner itself calls it.
#[derive(Clone, Debug)]
pub struct RunnerClient {
    http: reqwest::Client,
    url: String,
    runner_id: String,
    credential: SharedCredential,
}

impl RunnerClient {
    pub fn new(http: reqwest::Client, url: &str, runner_id: String, credential: SharedCredential) -> Self {
        Self { http, url: url.to_owned(), runner_id, credential }
    }

    /// Says that the runner is there, and what it works on. Returns what it is to do.
    pub async fn send_heartbeat(&self, heartbeat: &RunnerHeartbeat) -> Result<HeartbeatAnswer, CallError> {
        let url = runners_url(&self.url, &format!("{}/heartbeat", self.runner_id));
        let request = self.http.post(url).bearer_auth(self.credential.current()).json(heartbeat);
        read_json(send(request, CALL_TIME).await?).await
    }

    /// Asks for a new credential. The one of this call stays valid for some minutes.
    pub async fn rotate_credential(&self) -> Result<String, CallError> {
        let url = runners_url(&self.url, &format!("{}/credential/rotate", self.runner_id));
        let request = self.http.post(url).bearer_auth(self.credential.current());
        read_json::<RotatedCredential>(send(request, CALL_TIME).await?).await.map(|made| made.credential)
    }
}
