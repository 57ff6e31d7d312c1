//! `POST /agents/external/register`: registers an agent of the tenant and returns its token.

use axum::extract::State;
use serde::Serialize;
use shared::{
    agents::eap::server::{
        registration::{AgentRegistration, NewRegistration},
        service::{self, RegisteredAgent},
    },
    app::App,
    kernel::id::AgentId,
};
use utoipa::ToSchema;

use crate::{
    agents::view::ProbeView,
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member},
        version::{Created, Versioned},
    },
};

/// An agent that was registered.
#[derive(Serialize, ToSchema)]
pub(super) struct NewlyRegistered {
    /// The id of the agent.
    agent_id: AgentId,
    /// Always `registered`.
    status: &'static str,
    /// The token that the agent sends as `X-Agent-Token` or `Authorization: Bearer <token>`. It is shown only once.
    auth_token: String,
    /// The interval between heartbeats in seconds.
    heartbeat_interval_seconds: f64,
    /// How the agent receives its tasks.
    delivery: Delivery,
    /// Whether the agent's endpoint answered a signed ping. Only for pushed agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<ProbeView>,
    /// Whether the agent takes only the caller's own sessions, until a lead trusts it.
    restricted: bool,
    /// The secret with which pushes are signed (Standard Webhooks). Only for pushed agents; it is shown only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

/// How an agent receives its tasks.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Delivery {
    /// They are posted to its `endpoint_url`.
    Push,
    /// It claims them.
    Pull,
}

impl NewlyRegistered {
    fn of(app: &App, new: RegisteredAgent) -> Self {
        Self {
            agent_id: new.agent_id,
            status: "registered",
            auth_token: new.auth_token,
            heartbeat_interval_seconds: app.settings.heartbeat_interval.as_secs_f64(),
            delivery: if new.signing_secret.is_some() { Delivery::Push } else { Delivery::Pull },
            signing_secret: new.signing_secret,
            probe: new.probe.map(ProbeView::from),
            restricted: new.restricted,
        }
    }
}

impl Versioned for NewlyRegistered {
    fn location(&self) -> String {
        format!("/api/v1/agents/{}", self.agent_id)
    }

    fn version(&self) -> Option<i64> {
        None
    }

    fn has_secret(&self) -> bool {
        true
    }
}

/// Register an external agent
///
/// Registers an agent that speaks the External Agent Protocol and returns its token, which is shown only once. An
/// agent that a member registers takes only the member's own sessions until a lead trusts it. Requires the role member.
#[utoipa::path(post, path = "/api/v1/agents/external/register", operation_id = "register_external_agent", tag = "external agents",
    request_body = NewRegistration,
    responses((status = 201, description = "The registered agent with its token.", body = NewlyRegistered,
        headers(("Location" = String, description = "The URL of the created object.")))))]
pub(super) async fn register(
    State(app): State<App>,
    caller: Caller<Member>,
    Json(new): Json<NewRegistration>,
) -> HandlerResult<Created<NewlyRegistered>> {
    let registered = Box::pin(service::register(&app, &caller, AgentRegistration::parse(new)?)).await?;
    Ok(Created(NewlyRegistered::of(&app, registered)))
}
