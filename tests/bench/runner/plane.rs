//! An ioc in this process that notes when it hands out tasks, with the scripted model beside it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use harness::{Options, TestApp};
use local::scripted_model::{self, ScriptedModel};
use serde_json::{Value, json};
use shared::{app::Settings, identity::auth::Role, identity::rate_limits::RateLimits};
use tokio::time::sleep;

use super::forwarder::read_clock;
use crate::{
    client::Client,
    stand::{SESSIONS, Stand, open_limits},
};

/// How long a session may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// When tasks were handed out, by [`read_clock`].
type Claims = Arc<Mutex<Vec<u64>>>;

/// The control plane and the model.
pub(super) struct Plane {
    pub(super) stand: Stand,
    pub(super) model: ScriptedModel,
    claims: Claims,
}

async fn note_claim(State(claims): State<Claims>, request: Request, next: Next) -> Response {
    let is_claim = request.uri().path().ends_with("/tasks/claim");
    let response = next.run(request).await;
    if is_claim && response.status() == StatusCode::OK {
        claims.lock().unwrap_or_else(PoisonError::into_inner).push(read_clock());
    }
    response
}

impl Plane {
    pub(super) async fn new() -> Result<Self> {
        let settings = Settings { rate: RateLimits::unlimited(), ..Settings::default() };
        let world = TestApp::idle(Options { settings, limits: open_limits(), ..Options::default() }).await;
        let claims = Claims::default();
        let api = world.api.clone().layer(from_fn_with_state(claims.clone(), note_claim));
        let stand = Stand::serve(api, world).await?;
        Ok(Self { stand, model: scripted_model::serve("127.0.0.1:0").await?, claims })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.stand.place.address)
    }

    /// The key of the person who registers the runner.
    pub(super) fn key(&self) -> &str {
        self.stand.world.tenant.key(Role::Lead)
    }

    pub(super) async fn client(&self) -> Result<Client> {
        Client::connect(&self.stand.place).await
    }

    /// The names of agents that are registered for a program, once there is one.
    pub(super) async fn wait_for_agent(&self, program: &str) -> Result<String> {
        let mut client = self.client().await?;
        let ending = format!("-{}", program.to_ascii_uppercase());
        let late = Instant::now() + PATIENCE;
        while Instant::now() < late {
            let agents = client.json("GET", "/api/v1/agents?limit=100", "").await?;
            let mut names = agents["items"].as_array().into_iter().flatten().filter_map(|agent| agent["name"].as_str());
            if let Some(name) = names.rfind(|name| name.ends_with(&ending)) {
                return Ok(name.to_owned());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the runner has not registered {program}")
    }

    /// Starts a session; answers its id.
    pub(super) async fn start(&self, client: &mut Client, session: &Session<'_>) -> Result<String> {
        let body = json!({"title": "Fix the parser", "initial_prompt": session.prompt, "start": true,
                          "agent_config": {"agent": session.agent}, "workspace": {"directory": session.folder}});
        let made = client.json("POST", SESSIONS, &body.to_string()).await?;
        Ok(made["id"].as_str().context("a session has an id")?.to_owned())
    }

    /// Waits until a session is completed; any other end is an error.
    pub(super) async fn wait_for_completion(&self, client: &mut Client, id: &str) -> Result<()> {
        let late = Instant::now() + PATIENCE;
        while Instant::now() < late {
            let session: Value = client.json("GET", &format!("{SESSIONS}/{id}"), "").await?;
            match session["status"].as_str().unwrap_or_default() {
                "completed" => return Ok(()),
                "pending" | "queued" | "running" | "degraded" => sleep(Duration::from_millis(20)).await,
                status => bail!("session {id} is {status}: {}", session["outcome"]["error"]),
            }
        }
        bail!("session {id} was not completed in time")
    }

    /// The time from the latest claim to the prompt, in milliseconds, by what the agent said in the session's log.
    #[expect(clippy::cast_precision_loss, reason = "some seconds")]
    pub(super) async fn read_claim_to_prompt(&self, client: &mut Client, id: &str) -> Result<f64> {
        let claimed = self.claims.lock().unwrap_or_else(PoisonError::into_inner).last().copied();
        let asked = self.read_asked(client, id).await?.context("the agent has not said when it was asked")?;
        Ok(asked.saturating_sub(claimed.context("no task was claimed")?) as f64 / 1e3)
    }

    /// When the agent of a session was asked, if its log says so already.
    pub(super) async fn read_asked(&self, client: &mut Client, id: &str) -> Result<Option<u64>> {
        let events = client.send("GET", &format!("{SESSIONS}/{id}/events?limit=200"), "").await?;
        Ok(super::forwarder::find_asked(&String::from_utf8_lossy(events)))
    }
}

/// A session to start.
pub(super) struct Session<'a> {
    pub(super) agent: &'a str,
    /// A folder of this machine that no other session works in at the same time.
    pub(super) folder: &'a str,
    pub(super) prompt: &'a str,
}
