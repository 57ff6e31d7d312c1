//! The OpenAPI document: its introduction, and the rules that hold for all operations and schemas. Handlers describe
//! what is their own; errors, shared headers and the form of lists follow from here.

mod audience;
mod errors;
mod events;
mod schemas;

use serde_json::{Value, json};
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

use self::audience::Audience;
use crate::{
    a2a,
    events::{ControlEventPayload, SessionEventPayload, TenantEventPayload, TrainingEventPayload, frame},
    http::problem,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "ioc", description = include_str!("introduction.md"),
        contact(name = "The maintainers of ioc"),
        license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/", description = "The host that serves this document.")),
    security(("api_key" = []), ("token" = [])),
    tags(
        (name = "sessions", description = "Coding sessions: a prompt that is given to an agent and run to an end."),
        (name = "live", description = "The live stream of events. `docs/live-stream.md` describes the WebSocket."),
        (name = "agents", description = "Agents that work on sessions, and the marketplace where tenants share them."),
        (name = "environments", description = "Environments: where and with what sessions work, by version."),
        (name = "secrets", description = "Secrets that sessions receive. Their values are never returned."),
        (name = "external agents", description = "The External Agent Protocol: operations that agents outside of the platform call."),
        (name = "runners", description = "Runners: the machines on which the agents of a pool work. `docs/runners.md` is their guide."),
        (name = "a2a", description = "The sessions of a tenant as an agent of A2A 1.0 (Agent2Agent), by its HTTP+JSON binding."),
        (name = "models", description = "The model registry: versions of trained models, their aliases and their lineage."),
        (name = "experiments", description = "Experiments that compare models on live sessions."),
        (name = "fine-tuning", description = "Training jobs and datasets, made of a tenant's own sessions."),
        (name = "tenants", description = "Tenants, their limits and their quotas."),
        (name = "users", description = "Users, the caller, and logging in."),
        (name = "api-keys", description = "API keys of users and programs."),
        (name = "audit", description = "The audit log of changes."),
        (name = "health", description = "Liveness and readiness.")),
    components(schemas(problem::Problem, shared::kernel::error::Code, a2a::ErrorBody,
        SessionEventPayload, TrainingEventPayload, TenantEventPayload, ControlEventPayload,
        frame::StreamFrame, frame::ControlFrame)),
)]
struct Description;

/// The document before the areas add their operations.
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// Adds to the operations and schemas of some areas what holds for all of them.
pub(crate) fn complete(mut document: utoipa::openapi::OpenApi) -> Value {
    add_security_schemes(&mut document);
    let mut value = serde_json::to_value(&document).unwrap_or_default();
    for_each_operation(&mut value, complete_operation);
    errors::add_components(&mut value);
    if let Some(schemas) = value["components"]["schemas"].as_object_mut() {
        events::complete(schemas);
    }
    events::describe_frames(&mut value);
    schemas::complete(&mut value);
    value
}

fn add_security_schemes(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_default();
    let mut api_key = Http::new(HttpAuthScheme::Bearer);
    api_key.bearer_format = Some("ioc_<environment>_<id>_<secret>".to_owned());
    api_key.description = Some("An API key.".to_owned());
    components.add_security_scheme("api_key", SecurityScheme::Http(api_key));
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.bearer_format = Some("JWT".to_owned());
    token.description = Some("A token of a trusted OpenID Connect issuer; see docs/oidc.md.".to_owned());
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let about = "The token of an agent's registration; it may also be sent as a Bearer credential.";
    let agent_token = ApiKey::Header(ApiKeyValue::with_description("X-Agent-Token", about));
    components.add_security_scheme("agent_token", SecurityScheme::ApiKey(agent_token));
    let of_runners = [
        ("enrolment_token", "iocr_<environment>_<id>_<secret>", "A token with which runners enrol in a pool."),
        ("runner_credential", "iocrc_<environment>_<id>_<secret>", "The credential of a runner."),
    ];
    for (name, form, about) in of_runners {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some(form.to_owned());
        scheme.description = Some(about.to_owned());
        components.add_security_scheme(name, SecurityScheme::Http(scheme));
    }
}

/// Calls `change` with the path, the method and the object of each operation.
fn for_each_operation(document: &mut Value, change: fn(&str, &str, &mut Value)) {
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            change(path, method, operation);
        }
    }
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let audience = Audience::of(path, operation);
    let is_a2a = (a2a::PROTOCOL.owns_path)(path);
    let takes_key = audience == Audience::Callers && method != "get" && !is_a2a;
    if takes_key {
        add_parameter(operation, idempotency_key());
    }
    if audience == Audience::Callers && !is_a2a {
        add_parameter(operation, tenant_header());
    }
    errors::add_responses(operation, audience, is_a2a, takes_key);
}

/// Adds a parameter unless the operation describes it itself.
fn add_parameter(operation: &mut Value, parameter: Value) {
    if !operation["parameters"].is_array() {
        operation["parameters"] = json!([]);
    }
    if let Some(parameters) = operation["parameters"].as_array_mut()
        && !parameters.iter().any(|known| known["name"] == parameter["name"])
    {
        parameters.push(parameter);
    }
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A unique key of this request. A repetition with the same key within 24 hours returns the first answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": shared::identity::idempotency::MAX_KEY_LENGTH},
    })
}

fn tenant_header() -> Value {
    json!({
        "name": "X-Tenant-ID", "in": "header", "required": false,
        "description": "The id or the slug of the tenant. Default: the tenant of the credential. Only an admin may name another.",
        "schema": {"type": "string"},
    })
}
