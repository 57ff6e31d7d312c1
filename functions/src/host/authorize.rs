//! The decision of API Gateway's authorizer, by the same [`identify_caller`] that every extractor calls.
//!
//! The authorizer keeps requests without a valid credential away from the functions. No function trusts it: each
//! identifies its callers again.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2CustomAuthorizerV2Request as AuthorizerEvent;
use serde::Serialize;
use serde_json::Value;
use shared::{
    app::App,
    identity::auth::{CallOrigin, CallerIdentity, identify_caller},
    kernel::error::Result,
};

use crate::http::request::credentials;

/// The answer to API Gateway, in its simple format.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerDecision {
    pub is_authorized: bool,
    /// The caller, for the access log.
    pub context: Context,
}

/// Fields that an access log may show.
#[derive(Debug, Default, Serialize)]
pub struct Context {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
}

/// Whether the request of an event (payload format 2.0) may proceed. An error counts as a denial. CORS preflight
/// requests (OPTIONS) carry no credential and always proceed: the functions answer them by `CORS_ORIGINS`, or with 405.
pub async fn authorize(app: &App, event: Value) -> AuthorizerDecision {
    if event.pointer("/requestContext/http/method").and_then(Value::as_str) == Some("OPTIONS") {
        return AuthorizerDecision { is_authorized: true, context: Context::default() };
    }
    match Box::pin(caller(app, event)).await {
        Ok(identity) => AuthorizerDecision { is_authorized: true, context: context(&identity) },
        Err(error) => {
            if error.code().retryable() {
                tracing::error!(?error, "a request was denied because its caller could not be identified");
            } else {
                tracing::debug!(?error, "a request was denied");
            }
            AuthorizerDecision::default()
        }
    }
}

async fn caller(app: &App, event: Value) -> Result<CallerIdentity> {
    let event: AuthorizerEvent = serde_json::from_value(event).map_err(shared::kernel::error::Error::internal)?;
    let context = &event.request_context;
    let request_id = Arc::from(context.request_id.as_deref().unwrap_or_default());
    let address = context.http.source_ip.as_deref().map(Arc::from);
    identify_caller(app, credentials(&event.headers)?, CallOrigin { request_id, address }).await
}

fn context(identity: &CallerIdentity) -> Context {
    let tenant_id = match identity {
        // An admin may act on another tenant.
        CallerIdentity::Caller(caller) => caller.tenant_id,
        other => other.home_tenant_id(),
    };
    Context { tenant_id: Some(tenant_id.to_string()), principal: Some(identity.principal_key()) }
}
