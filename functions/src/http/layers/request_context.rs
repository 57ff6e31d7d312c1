//! The context of a request: its id, its address, its span, its protocol, and the body of its error.

use std::{any::Any, net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, MatchedPath, Request},
    http::{HeaderName, HeaderValue, Response},
    middleware::Next,
    response::IntoResponse,
};
use lambda_http::request::RequestContext;
use shared::kernel::{error::Error, id::RequestId};
use tracing::Instrument;

use crate::http::{
    problem::{self, ApiError},
    protocol::Protocol,
    request::{ClientAddress, RequestText},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs a request in its span and gives its answer the request id and, if it failed, the body of its error.
pub(super) async fn request_context(
    protocols: &'static [Protocol],
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let id = request_id(&request);
    let protocol = protocols.iter().find(|protocol| (protocol.owns_path)(request.uri().path()));
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = %id, method = %request.method(), route);
    let address = client_address(&request);
    let extensions = request.extensions_mut();
    extensions.insert(RequestText(id.clone()));
    if let Some(address) = address {
        extensions.insert(ClientAddress(address));
    }
    if let Some(protocol) = protocol {
        extensions.insert(*protocol);
    }
    let answered = async move {
        let mut response = problem::render(next.run(request).await, &id, &route, protocol);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    };
    answered.instrument(span).await
}

/// The caller's own id if it is usable, else a new one.
fn request_id(request: &Request) -> Arc<str> {
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let sent = sent.filter(|text| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()));
    sent.map_or_else(|| RequestId::new().to_string().into(), Arc::from)
}

/// The address that a request came from: as API Gateway reports it, else the peer of the connection.
fn client_address(request: &Request) -> Option<Arc<str>> {
    let extensions = request.extensions();
    if let Some(RequestContext::ApiGatewayV2(context)) = extensions.get::<RequestContext>() {
        return context.http.source_ip.as_deref().map(Arc::from);
    }
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string().into())
}

/// The answer to a request whose handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer calls")]
pub(super) fn respond_to_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref().cloned());
    ApiError(Error::internal(text.unwrap_or_else(|| "a panic".to_owned()))).into_response()
}
