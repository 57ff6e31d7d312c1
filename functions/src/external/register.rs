//! `POST /agents/external/register`: makes an agent of the caller's tenant, with a token of its own.

use axum::extract::State;
use serde::Serialize;
use shared::{
    app::App,
    external::{
        registration::{NewRegistration, Registration},
        service::{self, Registered},
    },
    id::AgentId,
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Creator, Json, Member},
    version::{Created, Object},
};

/// An agent that has just registered.
#[derive(Serialize, ToSchema)]
pub(super) struct NewlyRegistered {
    agent_id: AgentId,
    /// Always `registered`.
    status: &'static str,
    /// What the agent sends as `X-Agent-Token`, or as `Authorization: Bearer <token>`. It is shown this once.
    auth_token: String,
    heartbeat_interval_seconds: f64,
    delivery: Delivery,
    /// What pushes are signed with (Standard Webhooks), for an agent that is pushed to. It is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

/// How an agent gets its tasks.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Delivery {
    /// They are posted to its `endpoint_url`.
    Push,
    /// It claims them.
    Pull,
}

impl NewlyRegistered {
    fn of(app: &App, new: Registered) -> Self {
        Self {
            agent_id: new.agent_id,
            status: "registered",
            auth_token: new.auth_token,
            heartbeat_interval_seconds: app.settings.beat.as_secs_f64(),
            delivery: if new.signing_secret.is_some() { Delivery::Push } else { Delivery::Pull },
            signing_secret: new.signing_secret,
        }
    }
}

impl Object for NewlyRegistered {
    fn place(&self) -> String {
        format!("/api/v1/agents/{}", self.agent_id)
    }

    fn version(&self) -> Option<i64> {
        None
    }
}

#[utoipa::path(post, path = "/api/v1/agents/external/register", operation_id = "register_external_agent", tag = "external agents",
    request_body = NewRegistration, params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It is registered; its token is shown this once.", body = NewlyRegistered,
        headers(("Location" = String, description = "Its place."))), Problems))]
pub(super) async fn register(
    State(app): State<App>,
    caller: Creator<Member>,
    Json(new): Json<NewRegistration>,
) -> Answer<Created<NewlyRegistered>> {
    let registered = Box::pin(service::register(&app, &caller, Registration::parse(new)?)).await?;
    Ok(Created(NewlyRegistered::of(&app, registered)))
}
