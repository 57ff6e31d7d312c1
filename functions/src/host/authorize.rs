//! The decision of API Gateway's authorizer: the same [`identify`] that every extractor asks, said as yes or no.
//!
//! It keeps calls without a good credential away from the functions. No function believes it: what an extractor does not
//! find out by itself is not known.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request as Event;
use serde::Serialize;
use serde_json::Value;
use shared::{
    app::App,
    auth::service::{Call, Identity, identify},
    error::Result,
};

use crate::request::credentials;

/// What API Gateway is told, in its simple form.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub is_authorized: bool,
    /// Who it is, for the access log.
    pub context: Context,
}

/// Texts that an access log may show.
#[derive(Debug, Default, Serialize)]
pub struct Context {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
}

/// Whether the request of an event (payload format 2.0) may go on. Whatever keeps us from knowing is a no. What a browser
/// asks before a call from another origin (OPTIONS) comes without a credential, always: the functions answer it by
/// `CORS_ORIGINS` alone, or with 405.
pub async fn authorize(app: &App, event: Value) -> Verdict {
    if event.pointer("/requestContext/http/method").and_then(Value::as_str) == Some("OPTIONS") {
        return Verdict { is_authorized: true, context: Context::default() };
    }
    match Box::pin(caller(app, event)).await {
        Ok(identity) => Verdict { is_authorized: true, context: context(&identity) },
        Err(error) => {
            if error.code().retryable() {
                tracing::error!(?error, "a request was not let through because nobody could say who it is from");
            } else {
                tracing::debug!(?error, "a request was not let through");
            }
            Verdict::default()
        }
    }
}

async fn caller(app: &App, event: Value) -> Result<Identity> {
    let event: Event = serde_json::from_value(event).map_err(shared::error::Error::internal)?;
    let context = &event.request_context;
    let request_id = Arc::from(context.request_id.as_deref().unwrap_or_default());
    let address = context.http.source_ip.as_deref().map(Arc::from);
    identify(app, credentials(&event.headers)?, Call { request_id, address }).await
}

fn context(identity: &Identity) -> Context {
    let (tenant_id, principal) = match identity {
        Identity::Caller(caller) => (caller.tenant_id, caller.principal.key()),
        Identity::Agent(agent) => (agent.tenant_id, format!("agent:{}", agent.agent_id)),
    };
    Context { tenant_id: Some(tenant_id.to_string()), principal: Some(principal) }
}
