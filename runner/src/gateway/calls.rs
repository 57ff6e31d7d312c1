//! One request: admitted, passed to a provider, and its answer passed back.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc::UnboundedSender};

use super::{
    body::{AnswerReader, CallRecord, make_metered_body},
    events::GatewayEvent,
    headers::{make_answer_headers, make_request_headers},
    protocol::{Endpoint, Protocol, filter_query, split_gemini_path},
    provider::Provider,
    refusal::{Refusal, answer_unknown_path},
    request::{PreparedRequest, prepare_gemini_request, prepare_request},
    retry_after::read_retry_after,
    sse::EventSplitter,
    usage_chunk::UsageChunkFilter,
};

const KIBIBYTE: usize = 1024;
/// The largest body of a request.
const MOST_REQUEST_BYTES: usize = 32 * KIBIBYTE * KIBIBYTE;
/// The bodies of all requests that wait for an answer of their provider, in KiB.
const MOST_WAITING_KIBIBYTES: usize = 128 * KIBIBYTE;
/// How much of a model's name is reported.
const MODEL_LENGTH: usize = 200;

/// What all calls of a session share.
pub(super) struct SharedState {
    pub(super) providers: Vec<Provider>,
    pub(super) client: reqwest::Client,
    pub(super) events: UnboundedSender<GatewayEvent>,
    waiting: Semaphore,
}

impl SharedState {
    pub(super) fn new(
        providers: Vec<Provider>,
        client: reqwest::Client,
        events: UnboundedSender<GatewayEvent>,
    ) -> Self {
        Self { providers, client, events, waiting: Semaphore::new(MOST_WAITING_KIBIBYTES) }
    }

    fn report(&self, event: GatewayEvent) {
        // The receiver is gone when the session has ended.
        let _ = self.events.send(event);
    }
}

/// Answers every request of the agent.
pub(super) async fn answer_request(State(state): State<Arc<SharedState>>, request: Request) -> Response {
    let is_anthropic = request.headers().contains_key("anthropic-version");
    let Some(endpoint) = Endpoint::find(request.method(), request.uri().path(), is_anthropic) else {
        return answer_unknown_path();
    };
    let (parts, body) = request.into_parts();
    let answer = match endpoint.protocol() {
        Some(protocol) => pass_generation(&state, (endpoint, protocol), &parts, body).await,
        None => pass_list(&state, endpoint, &parts).await,
    };
    answer.unwrap_or_else(|refusal| refusal.into_answer(endpoint))
}

async fn pass_generation(
    state: &SharedState,
    (endpoint, protocol): (Endpoint, Protocol),
    parts: &Parts,
    body: Body,
) -> Result<Response, Refusal> {
    let (body, waiting) = read_body(state, &parts.headers, body).await?;
    let request = match split_gemini_path(parts.uri.path()) {
        Some((model, _)) => prepare_gemini_request(model, &body),
        None => prepare_request(protocol, &body),
    };
    let request = request.map_err(Refusal::Unreadable)?;
    let provider = find_provider(state, endpoint, &request.model)?;
    let mut record = CallRecord::begin((&provider.name, protocol, &shorten(&request.model)), state.events.clone());
    let PreparedRequest { model, body, is_usage_added } = request;
    let answer = send(state, provider, (endpoint.path(&model).as_ref(), endpoint, parts), Some(body)).await?;
    drop(waiting);
    record.set_status(answer.status().as_u16());
    report_refused_call(state, provider, &answer);
    if answer.status() == StatusCode::UNAUTHORIZED {
        // The provider's own text may quote the key.
        record.complete();
        return Err(Refusal::KeyRefused);
    }
    let reader = choose_reader(answer.headers());
    let is_stream = matches!(reader, AnswerReader::Events(_));
    let filter = (is_usage_added && is_stream).then(UsageChunkFilter::new);
    let (status, headers) = (answer.status(), make_answer_headers(answer.headers()));
    Ok(make_response(status, headers, make_metered_body(answer.bytes_stream(), reader, filter, record)))
}

async fn pass_list(state: &SharedState, endpoint: Endpoint, parts: &Parts) -> Result<Response, Refusal> {
    let provider = state.providers.iter().find(|provider| endpoint.is_spoken_by(&provider.protocols));
    let provider = provider.ok_or(Refusal::NoProvider)?;
    let answer = send(state, provider, (endpoint.path("").as_ref(), endpoint, parts), None).await?;
    report_refused_call(state, provider, &answer);
    if answer.status() == StatusCode::UNAUTHORIZED {
        return Err(Refusal::KeyRefused);
    }
    let (status, headers) = (answer.status(), make_answer_headers(answer.headers()));
    Ok(make_response(status, headers, Body::from_stream(answer.bytes_stream())))
}

/// Reads a body of bounded size, once there is memory for it among the bodies that wait.
async fn read_body<'a>(
    state: &'a SharedState,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, SemaphorePermit<'a>), Refusal> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Refusal::Unreadable("it is compressed".to_owned()));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let length = length.unwrap_or(MOST_REQUEST_BYTES);
    if length > MOST_REQUEST_BYTES {
        return Err(Refusal::TooLarge);
    }
    let kibibytes = u32::try_from(length.div_ceil(KIBIBYTE)).unwrap_or(u32::MAX);
    let permit = state.waiting.acquire_many(kibibytes).await.map_err(|_| Refusal::Unreachable)?;
    // An aborted body also ends here, but then nobody reads the answer.
    let body = to_bytes(body, MOST_REQUEST_BYTES).await.map_err(|_| Refusal::TooLarge)?;
    Ok((body, permit))
}

fn find_provider<'a>(state: &'a SharedState, endpoint: Endpoint, model: &str) -> Result<&'a Provider, Refusal> {
    let mut able = state.providers.iter().filter(|provider| endpoint.is_spoken_by(&provider.protocols)).peekable();
    if able.peek().is_none() {
        return Err(Refusal::NoProvider);
    }
    able.find(|provider| provider.models.allows(model)).ok_or_else(|| {
        let model = shorten(model);
        state.report(GatewayEvent::ModelRefused { model: model.clone() });
        Refusal::ModelNotAllowed { model }
    })
}

fn shorten(model: &str) -> String {
    model.chars().take(MODEL_LENGTH).collect()
}

async fn send(
    state: &SharedState,
    provider: &Provider,
    (path, endpoint, parts): (&str, Endpoint, &Parts),
    body: Option<Bytes>,
) -> Result<reqwest::Response, Refusal> {
    let query = filter_query(parts.uri.query().unwrap_or_default(), endpoint.allowed_parameters());
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{path}{mark}{query}", provider.base_url.trim_end_matches('/'));
    let headers = make_request_headers(&parts.headers, &provider.credential).ok_or(Refusal::KeyRefused)?;
    let mut request = state.client.request(parts.method.clone(), url).headers(headers);
    if let Some(body) = body {
        request = request.body(body);
    }
    request.send().await.map_err(|error| {
        tracing::warn!(provider = provider.name, error = %error.without_url(), "the provider was not reached");
        Refusal::Unreachable
    })
}

fn report_refused_call(state: &SharedState, provider: &Provider, answer: &reqwest::Response) {
    let (name, status) = (provider.name.clone(), answer.status().as_u16());
    match status {
        401 => state.report(GatewayEvent::AuthenticationFailed { provider: name }),
        429 | 529 => {
            let retry_after = read_retry_after(answer.headers());
            state.report(GatewayEvent::RateLimited { provider: name, status, retry_after });
        }
        _ => {}
    }
}

fn choose_reader(headers: &HeaderMap) -> AnswerReader {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !matches!(text(header::CONTENT_ENCODING), "" | "identity") {
        AnswerReader::Unreadable
    } else if text(header::CONTENT_TYPE).starts_with("text/event-stream") {
        AnswerReader::Events(EventSplitter::new())
    } else {
        AnswerReader::Json(Vec::new())
    }
}

fn make_response(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
