//! Measuring by asking: where the trainer cannot measure, the held-out prompts are run through the registered model at
//! the tenant's endpoint.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{Json, Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{
    identity::auth::Role,
    kernel::failure::Failure,
    models::registry::metrics::Metrics,
    training::trainers::{
        Evaluation, Order, Parameters, Provider, Submission, TrainedArtifact, Trainer, TrainerConnection, TrainerState,
        Trainers, TrainingObservation, TrainingPhase,
    },
};
use tokio::{net::TcpListener, task::JoinSet};

/// Trains at once, and cannot measure what came of it.
struct Unmeasuring;

#[async_trait]
impl Trainer for Unmeasuring {
    async fn check(&self, _: &str, _: &Parameters, _: &TrainerConnection) -> Result<(), Failure> {
        Ok(())
    }

    async fn submit(&self, _: &Order) -> Result<Submission, Failure> {
        Ok(Submission { external_id: "one".to_owned(), state: TrainerState::default() })
    }

    async fn observe(&self, _: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure> {
        let trained = TrainedArtifact {
            model_identifier: Some("openai/ft:tiny:acme::1".to_owned()),
            artifact: "ft:tiny:acme::1".to_owned(),
            metrics: Metrics::default(),
            cost_micros: None,
        };
        let phase = TrainingPhase::Succeeded(trained);
        Ok(TrainingObservation { state: state.clone(), phase, progress: None, curve: Vec::new(), messages: Vec::new() })
    }

    async fn cancel(&self, _: &Order, _: &TrainerState) -> Result<(), Failure> {
        Ok(())
    }

    async fn evaluate(&self, _: &Order, _: &TrainerState) -> Result<Evaluation, Failure> {
        Ok(Evaluation::Unsupported)
    }
}

type Asked = Arc<Mutex<Vec<(Option<String>, Value)>>>;

/// The response to the call of this number.
type Script = fn(usize) -> (u16, Value);

/// A chat endpoint that notes what it is asked.
struct Chat {
    url: String,
    place: String,
    asked: Asked,
    _serving: JoinSet<()>,
}

async fn answer(
    State((asked, script)): State<(Asked, Script)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let key = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let mut asked = asked.lock().unwrap();
    asked.push((key, body));
    let (status, body) = script(asked.len());
    (StatusCode::from_u16(status).unwrap(), Json(body))
}

impl Chat {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let asked = Asked::default();
        let router = Router::new().route("/v1/chat/completions", post(answer)).with_state((asked.clone(), script));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{place}/v1"), place, asked, _serving: serving }
    }

    /// Trains and measures a job against it; answers the job as it ended.
    async fn measures(&self) -> Value {
        let trainer: Box<dyn Trainer> = Box::new(Unmeasuring);
        let mut options = Options { trainers: Trainers::new([(Provider::Openai, trainer)]), ..Options::default() };
        options.settings.outbound = self.place.parse().unwrap();
        let world = TestApp::with(options).await;
        let lead = world.caller(Role::Lead);
        lead.good_sessions_on_both_sides().await;
        let set = json!({"base_url": self.url, "api_key": "sk-of-the-tenant"}).to_string().into_bytes();
        lead.send("PUT", "/fine-tuning/providers/openai", Some(set)).await.expect(200);
        let id = lead.new_training(json!({"provider": "openai"})).await;
        lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
        let job = lead.trains(&id, &["completed", "failed"]).await;
        assert_eq!(job["status"], "completed", "{job:#}");
        assert!(job["curated"]["held_out_samples"].as_u64().unwrap() > 0, "{job:#}");
        job
    }
}

fn says(text: &str) -> Value {
    json!({"choices": [{"message": {"role": "assistant", "content": text}}]})
}

#[tokio::test]
async fn held_out_prompts_are_sent_with_the_tenants_key_and_responses_compared() {
    let chat = Chat::start(|_| (200, says("It is done: nothing like it."))).await;
    let job = chat.measures().await;
    let asked = chat.asked.lock().unwrap().clone();
    let count = u64::try_from(asked.len()).unwrap();
    assert_eq!(job["evaluation"], json!({"by": "prompts", "samples": count}), "{job:#}");
    assert_eq!(count, job["curated"]["held_out_samples"].as_u64().unwrap().min(24));
    let accuracy = job["metrics"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.05 && accuracy < 0.5, "three words of each answer agree: {accuracy}");
    for (key, body) in asked {
        assert_eq!(key.as_deref(), Some("Bearer sk-of-the-tenant"));
        assert_eq!(body["model"], "ft:tiny:acme::1");
        let last = body["messages"].as_array().unwrap().last().unwrap();
        assert_eq!(last["role"], "user", "the answer itself is not reported: {body}");
    }
}

#[tokio::test]
async fn a_transient_failure_of_an_endpoint_is_retried() {
    let chat = Chat::start(|call| if call <= 2 { (503, json!({})) } else { (200, says("Yes.")) }).await;
    assert_eq!(chat.measures().await["evaluation"]["by"], "prompts");
}

#[tokio::test]
async fn an_endpoint_without_the_model_leaves_it_registered_without_evaluation() {
    let refusals: [(Script, &str); 3] = [
        (|_| (404, json!({"error": {"message": "no such model"}})), "404"),
        (|_| (401, json!({})), "401"),
        (|_| (200, json!({"hello": "there"})), "no chat completion"),
    ];
    for (script, why) in refusals {
        let job = Chat::start(script).await.measures().await;
        assert_eq!(job["evaluation"]["by"], "nobody", "{job:#}");
        assert!(job["evaluation"]["reason"].as_str().unwrap().contains(why), "{job:#}");
        assert_eq!(job["model"]["version"], "1.0.0");
    }
}
