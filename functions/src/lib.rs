//! Every endpoint and background task of ioc: the catalogue.
//!
//! An area has a `routes()` that also carries its OpenAPI; [`api`] joins them for hosts that serve all, and each Lambda
//! in `src/bin` serves its own. A background task is a function in [`work`].

pub mod a2a;
pub mod agents;
pub mod audit;
mod bounds;
pub mod datasets;
pub mod experiments;
pub mod external;
mod headers;
pub mod health;
pub mod host;
mod idempotency;
pub mod keys;
mod limits;
pub mod live;
pub mod login;
pub mod marketplace;
pub mod me;
pub mod models;
mod problem;
mod query;
mod reply;
mod request;
pub mod sessions;
pub mod tenant;
pub mod tenants;
pub mod tuning;
pub mod users;
mod version;
pub mod work;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, MatchedPath, Request},
    http::{HeaderName, HeaderValue, Response},
    middleware::{Next, from_fn, from_fn_with_state},
};
use lambda_http::request::RequestContext;
use shared::{app::App, id::RequestId};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

pub use request::BODY_LIMIT;

/// The description of the whole API.
#[derive(OpenApi)]
#[openapi(
    info(title = "ioc", description = "The control plane for autonomous coding sessions.", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = "/")),
    security(("api_key" = []), ("token" = [])),
    tags((name = "a2a", description = "The sessions of a tenant as an agent of A2A 1.0 (Agent2Agent), by its HTTP+JSON binding."), (name = "sessions", description = "Coding sessions: a prompt given to an agent, run to an end."), (name = "live", description = "What happens, as it happens: docs/live-stream.md describes the WebSocket."), (name = "agents", description = "Who works on sessions: made, watched, offered to other tenants."), (name = "external agents", description = "Agents outside of the platform: what they call."), (name = "experiments", description = "Models compared on live sessions."), (name = "fine-tuning", description = "From good sessions to better models: training jobs and their providers."), (name = "models", description = "Models that were trained: versions, aliases, where they came from."), (name = "tenants", description = "Whose everything is, and what they may use."), (name = "users", description = "People, and who calls."), (name = "api-keys", description = "What people and programs call with."), (name = "audit", description = "Who changed what."), (name = "health", description = "Whether we are there.")),
    components(schemas(problem::Problem, shared::error::Code, a2a::ErrorBody)),
)]
struct Description;

/// All areas, with their OpenAPI.
fn areas() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(work_and_watch())
        .merge(fleet())
        .merge(registry())
        .merge(external::routes())
        .merge(a2a::routes())
        .merge(tenancy())
        .merge(training())
        .merge(health::routes())
}

/// Sessions, and what is told of them as it happens: served by one function.
pub fn work_and_watch() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(sessions::routes()).merge(live::routes())
}

/// The agents of tenants, and what tenants offer to each other: served by one function.
pub fn fleet() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(agents::routes()).merge(marketplace::routes())
}

/// The models that a tenant registered, and its experiments with them: served by one function.
pub fn registry() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(models::routes()).merge(experiments::routes())
}

/// What belongs to a tenant beside its work: served by one function.
pub fn tenancy() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(tenants::routes())
        .merge(tenant::routes())
        .merge(users::routes())
        .merge(me::routes())
        .merge(login::routes())
        .merge(keys::routes())
        .merge(audit::routes())
}

/// What makes models of sessions: served by one function.
pub fn training() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(tuning::routes()).merge(datasets::routes())
}

/// The OpenAPI document, generated from the handlers.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = areas().into_openapi();
    let components = document.components.get_or_insert_default();
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = Some("ioc_<environment>_<id>_<secret>".to_owned());
    components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = Some("JWT".to_owned());
    scheme.description = Some("A token of an issuer that is trusted (OpenID Connect); see docs/oidc.md.".to_owned());
    components.add_security_scheme("token", SecurityScheme::Http(scheme));
    let about = "The token of an agent's registration; it may also be sent as a Bearer credential.";
    let scheme = ApiKey::Header(ApiKeyValue::with_description("X-Agent-Token", about));
    components.add_security_scheme("agent_token", SecurityScheme::ApiKey(scheme));
    document
}

/// Everything that answers HTTP, as one service.
pub fn api(app: App) -> Router {
    let (routes, _) = areas().split_for_parts();
    finish(routes.merge(health::documents()).merge(live::socket::routes()), app)
}

/// Some routes as a service of their own: with problems for what they do not know, request ids, and caught panics.
pub fn serve(routes: OpenApiRouter<App>, app: App) -> Router {
    let (routes, _) = routes.split_for_parts();
    finish(routes, app)
}

fn finish(routes: Router<App>, app: App) -> Router {
    routes
        .layer(from_fn_with_state(app.clone(), idempotency::once))
        .layer(from_fn_with_state(app.clone(), limits::counted))
        .layer(from_fn_with_state(app.clone(), bounds::bounded))
        .layer(option_layer(headers::cross_origin(&app)))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
        .layer(from_fn(headers::secure))
        .layer(from_fn(answer))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over so")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response<Body> {
    use axum::response::IntoResponse;
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref().cloned());
    problem::Failed(shared::error::Error::internal(text.unwrap_or_else(|| "a panic".to_owned()))).into_response()
}

/// Around every request: an id, a span, and a problem body for what failed.
async fn answer(mut request: Request, next: Next) -> Response<Body> {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let given = given.filter(|text| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()));
    let id: Arc<str> = given.map_or_else(|| RequestId::new().to_string().into(), Arc::from);
    request.extensions_mut().insert(request::RequestText(id.clone()));
    if let Some(address) = address(&request) {
        request.extensions_mut().insert(request::Address(address));
    }
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let speaks_a2a = a2a::is_below(request.uri().path());
    let span = tracing::info_span!("request", request.id = %id, method = %request.method(), route);
    async move {
        let mut response = problem::render(next.run(request).await, &id, &route, speaks_a2a);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}

/// Where a request came from: as API Gateway says, or the other end of the connection.
fn address(request: &Request) -> Option<Arc<str>> {
    let extensions = request.extensions();
    if let Some(RequestContext::ApiGatewayV2(context)) = extensions.get::<RequestContext>() {
        return context.http.source_ip.as_deref().map(Arc::from);
    }
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string().into())
}
