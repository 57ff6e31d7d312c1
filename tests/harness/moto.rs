//! Moto, a server that speaks Amazon Bedrock: started once per test process, and gone with it. Before it stands a way
//! that lets faults happen and says how far a job is, because moto's jobs go on for ever.

use std::{
    collections::BTreeMap,
    process::{Child, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware,
    response::Response,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    PATIENCE,
    child_process::{free_port, kept, test_program},
    faults::{Faults, happen},
};

struct Moto {
    endpoint: String,
    _keeper: Child,
}

fn moto() -> &'static Moto {
    static SERVER: OnceLock<Moto> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (program, port) = (test_program("moto_server", "MOTO_SERVER"), free_port());
        let mut command = kept(&program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = command.spawn().expect("sh starts");
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{} did not answer", program.display());
            std::thread::sleep(Duration::from_millis(50));
        }
        Moto { endpoint: format!("http://127.0.0.1:{port}"), _keeper: keeper }
    })
}

/// How far the jobs are said to be, by their names.
type Said = Arc<Mutex<BTreeMap<String, Value>>>;

#[derive(Clone)]
struct Way {
    http: reqwest::Client,
    said: Said,
}

/// A way to moto.
pub struct Bedrock {
    pub endpoint: String,
    pub faults: Faults,
    said: Said,
    _server: JoinSet<()>,
}

impl Bedrock {
    pub async fn start() -> Self {
        tokio::task::spawn_blocking(moto).await.expect("moto starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let (said, faults) = (Said::default(), Faults::default());
        let way = Way { http: reqwest::Client::new(), said: said.clone() };
        let routes = Router::new().fallback(forward).with_state(way);
        let routes = routes.layer(middleware::from_fn_with_state(faults.clone(), happen));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { endpoint, faults, said, _server: server }
    }

    /// From now on a job is reported with these fields.
    pub fn say(&self, job: &str, fields: Value) {
        self.said.lock().expect("nobody panics with it").insert(job.to_owned(), fields);
    }

    /// The names of the jobs that moto has, of those whose names hold this.
    pub async fn jobs(&self, part: &str) -> Vec<String> {
        let signed =
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=x";
        let call = reqwest::Client::new().get(format!("{}/model-customization-jobs", self.endpoint));
        let answer = call.header("authorization", signed).send().await.expect("moto answers");
        let listed: Value = answer.json().await.expect("a list");
        let jobs = listed["modelCustomizationJobSummaries"].as_array().cloned().unwrap_or_default();
        let names = jobs.iter().filter_map(|job| job["jobName"].as_str()).filter(|name| name.contains(part));
        names.map(str::to_owned).collect()
    }
}

async fn forward(State(way): State<Way>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut call = way.http.request(method.clone(), format!("{}{path}", moto().endpoint)).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| **name != header::HOST && **name != header::CONTENT_LENGTH) {
        call = call.header(name, value);
    }
    let Ok(answer) = call.send().await else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).expect("a response");
    };
    let (status, kind) = (answer.status(), answer.headers().get("x-amzn-errortype").cloned());
    let mut body = answer.bytes().await.unwrap_or_default();
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let said = way.said.lock().expect("nobody panics with it").get(name).cloned();
    if let (Some(Value::Object(said)), Ok(Value::Object(mut reported))) = (said, serde_json::from_slice(&body)) {
        reported.extend(said);
        body = Value::Object(reported).to_string().into();
    }
    let mut response = Response::builder().status(status);
    if let Some(kind) = kind {
        response = response.header("x-amzn-errortype", kind);
    }
    response.body(Body::from(body)).expect("a response")
}
