//! What the model gateway adds to each chunk of a streamed answer: the same stream, read from the provider itself and
//! through the gateway.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
    routing::post,
};
use futures_util::{StreamExt, stream};
use runner::gateway::{
    Credential, Gateway, GatewaySpec, ModelAllowList, Protocol, Provider, ProviderKey, build_upstream_client,
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinSet,
    time::sleep,
};

use super::process::make_folder;
use crate::{
    Effort,
    client::millis,
    figure::{Figure, Samples, Target},
};

const CHAT: &str = "/v1/chat/completions";
const CHUNKS: usize = 300;

pub(super) async fn measure(effort: &Effort) -> Result<Figure> {
    let gate = Arc::new(Notify::new());
    let (url, _serving) = serve_provider(gate.clone()).await?;
    let folder = make_folder()?;
    let (events, _calls) = mpsc::unbounded_channel();
    let provider = Provider {
        name: "openai".to_owned(),
        base_url: format!("{url}/v1"),
        protocols: vec![Protocol::ChatCompletions],
        credential: Credential::Bearer(ProviderKey::new("sk-bench")),
        models: ModelAllowList::All,
    };
    let socket = folder.path().join("gateway.sock");
    let (client, providers) = (build_upstream_client()?, vec![provider]);
    let _gateway =
        Gateway::start(GatewaySpec { socket: socket.clone(), providers, client, events, routes: axum::Router::new() })?;
    let direct = reqwest::Client::builder().no_proxy().build()?;
    let through = reqwest::Client::builder().no_proxy().unix_socket(socket).build()?;
    let (mut alone, mut added) = (Samples::default(), Samples::default());
    for _ in 0..effort.runs {
        let floor = read_chunks(&direct, &format!("{url}{CHAT}"), &gate).await?;
        let passed = read_chunks(&through, &format!("http://gateway{CHAT}"), &gate).await?;
        let floor_median = floor.iter().copied().collect::<Samples>().median().unwrap_or_default();
        alone.extend(floor.into_iter().collect());
        added.extend(passed.into_iter().map(|time| time - floor_median).collect());
    }
    let note = format!("the provider itself takes {:.3} ms at the median", alone.median().unwrap_or_default());
    Ok(Figure::of("runner, added to a chunk", "ms", &added).reaching(Target::Below(3.0)).note(note))
}

/// A provider that sends each chunk but the first when it is permitted to.
async fn serve_provider(gate: Arc<Notify>) -> Result<(String, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().route(CHAT, post(stream_chunks)).with_state(gate);
    let mut serving = JoinSet::new();
    serving.spawn(async move { _ = axum::serve(listener, router).await });
    Ok((url, serving))
}

async fn stream_chunks(State(gate): State<Arc<Notify>>) -> Response {
    let event = format!("data: {}\n\n", json!({"choices": [{"delta": {"content": "x".repeat(200)}}]}));
    let event = Bytes::from(event);
    let chunks = stream::iter(0..CHUNKS).then(move |at| {
        let (gate, event) = (gate.clone(), event.clone());
        async move {
            if at > 0 {
                gate.notified().await;
            }
            Ok::<_, Infallible>(event)
        }
    });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("text/event-stream"));
    response
}

/// The milliseconds from the permission of each chunk to its arrival.
async fn read_chunks(client: &reqwest::Client, url: &str, gate: &Notify) -> Result<Vec<f64>> {
    let mut answer = client.post(url).json(&json!({"model": "m", "stream": true})).send().await?.error_for_status()?;
    answer.chunk().await?.context("a first chunk")?;
    let mut times = Vec::new();
    for _ in 1..CHUNKS {
        // The stream waits for its permission before it is given.
        sleep(Duration::from_millis(2)).await;
        let permitted = Instant::now();
        gate.notify_one();
        answer.chunk().await?.context("the stream ended early")?;
        times.push(millis(permitted.elapsed()));
    }
    Ok(times)
}
