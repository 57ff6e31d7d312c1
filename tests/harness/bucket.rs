//! A bucket of one test's own, on the S3 that `MiniStack` plays, behind a way that lets faults happen.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware,
    response::Response,
};
use object_store::{RetryConfig, aws::AmazonS3Builder};
use shared::platform::object_store::Files;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    faults::{Faults, happen},
    ministack::{REGION, ministack},
};

/// The bucket; its way ends when dropped.
pub struct Bucket {
    pub files: Files,
    pub faults: Faults,
    /// The prefix of the path of each call.
    pub path: String,
    _tasks: JoinSet<()>,
}

impl Bucket {
    pub async fn start() -> Self {
        let (faults, name) = (Faults::default(), ministack().bucket().await);
        let happens = middleware::from_fn_with_state(faults.clone(), happen);
        let way = Router::new().fallback(forward).layer(happens).with_state(reqwest::Client::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, way).await.expect("it serves") });
        let bucket = AmazonS3Builder::new()
            .with_bucket_name(&name)
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_region(REGION)
            .with_access_key_id("test")
            .with_secret_access_key("test")
            // A fault is to be met by us: the store's own tries would hide it.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
        let files = Files::from_store(bucket.build().expect("a bucket"));
        Self { files, faults, path: format!("/{name}"), _tasks: tasks }
    }
}

async fn forward(
    State(http): State<reqwest::Client>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut call = http.request(method, format!("{}{path}", ministack().endpoint)).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| **name != header::HOST && **name != header::CONTENT_LENGTH) {
        call = call.header(name, value);
    }
    let Ok(answer) = call.send().await else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).expect("a response");
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| **name != header::TRANSFER_ENCODING) {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap_or_default())).expect("a response")
}
