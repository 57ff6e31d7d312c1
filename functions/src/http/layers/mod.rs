//! The layers around all routes, from the outside in: compression, request context, security headers, caught panics,
//! CORS, bounds, rate limits, idempotency.

mod cors;
mod idempotency;
mod rate_limit;
pub(crate) mod request_bounds;
mod request_context;
mod security_headers;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use shared::app::App;
use tower::util::option_layer;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{And, DefaultPredicate, Predicate, SizeAbove},
    },
};

use crate::http::protocol::Protocol;

/// The smallest answer that is compressed, in bytes: less fits into one packet anyway.
const MIN_COMPRESSED: u64 = 1024;

/// Makes routes a service: every answer carries a request id, every error a body in the form of its protocol, and a
/// panic is an error like any other.
pub(crate) fn wrap(routes: Router<App>, app: App, protocols: &'static [Protocol]) -> Router {
    routes
        .layer(from_fn_with_state(app.clone(), idempotency::idempotency_layer))
        .layer(from_fn_with_state(app.clone(), rate_limit::rate_limit_layer))
        .layer(from_fn_with_state(app.clone(), request_bounds::request_bounds_layer))
        .layer(option_layer(cors::cors_layer(&app)))
        .layer(CatchPanicLayer::custom(request_context::respond_to_panic))
        .with_state(app)
        .layer(from_fn(security_headers::security_headers))
        .layer(from_fn(move |request, next| request_context::request_context(protocols, request, next)))
        .layer(compression_layer())
}

/// Compresses answers for callers that accept gzip, but neither small ones nor event streams.
fn compression_layer() -> CompressionLayer<And<SizeAbove, DefaultPredicate>> {
    let worthwhile = SizeAbove::new(MIN_COMPRESSED).and(DefaultPredicate::new());
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worthwhile)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::{Json, routing::get};
    use base64::{Engine, prelude::BASE64_STANDARD};
    use flate2::read::GzDecoder;
    use lambda_http::{Adapter, Context, Service, lambda_runtime::LambdaEvent, request::LambdaRequest};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_compressed_answer_passes_through_lambda_as_base64() {
        let items = json!({"items": vec!["the same"; 1000]});
        let answered = items.clone();
        let routes = Router::new().route("/health", get(async move || Json(answered))).layer(compression_layer());
        let mut event: Value = serde_json::from_str(include_str!("../../../../tests/events/health.json")).unwrap();
        event["headers"]["accept-encoding"] = json!("gzip, br");
        let event: LambdaRequest = serde_json::from_value(event).unwrap();
        let mut lambda = Adapter::from(routes);
        let answer = lambda.call(LambdaEvent::new(event, Context::default())).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        assert_eq!(
            (&answer["isBase64Encoded"], &answer["headers"]["content-encoding"]),
            (&json!(true), &json!("gzip"))
        );
        let packed = BASE64_STANDARD.decode(answer["body"].as_str().unwrap()).unwrap();
        let mut text = String::new();
        GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), items);
    }
}
