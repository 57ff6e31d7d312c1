//! What a provider is asked to call off, and what not: of a handover that was refused, of one whose answer was lost,
//! and of what it still measures.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use harness::{Caller, Options, TestApp, until};
use serde_json::{Value, json};
use shared::{
    identity::auth::Role,
    kernel::failure::{Category, Failure},
    models::registry::metrics::Metrics,
    training::trainers::{
        Evaluation, Order, Parameters, Provider, Submission, TrainedArtifact, Trainer, TrainerConnection, TrainerState,
        Trainers, TrainingObservation, TrainingPhase,
    },
};

type Calls = Arc<Mutex<Vec<&'static str>>>;

/// Trains at once, evaluates without an end, and records its calls. Submissions fail with the given errors until these
/// are used up, and cancellations fail if the test says so.
#[derive(Default)]
struct Noting {
    calls: Calls,
    failures: Mutex<VecDeque<Category>>,
    calls_nothing_off: bool,
}

fn refused(category: Category) -> Failure {
    Failure::new(category, "REFUSED", "The provider does not want that.")
}

#[async_trait]
impl Trainer for Noting {
    async fn check(&self, _: &str, _: &Parameters, _: &TrainerConnection) -> Result<(), Failure> {
        Ok(())
    }

    async fn submit(&self, _: &Order) -> Result<Submission, Failure> {
        self.calls.lock().unwrap().push("submit");
        match self.failures.lock().unwrap().pop_front() {
            Some(category) => Err(refused(category)),
            None => Ok(Submission { external_id: "one".to_owned(), state: TrainerState::default() }),
        }
    }

    async fn observe(&self, _: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure> {
        let (curve, messages) = (Vec::new(), Vec::new());
        let artifact = "one".to_owned();
        let trained =
            TrainedArtifact { model_identifier: None, artifact, metrics: Metrics::default(), cost_micros: None };
        Ok(TrainingObservation {
            state: state.clone(),
            phase: TrainingPhase::Succeeded(trained),
            progress: None,
            curve,
            messages,
        })
    }

    async fn cancel(&self, _: &Order, _: &TrainerState) -> Result<(), Failure> {
        self.calls.lock().unwrap().push("cancel");
        if self.calls_nothing_off { Err(refused(Category::Auth)) } else { Ok(()) }
    }

    async fn evaluate(&self, _: &Order, state: &TrainerState) -> Result<Evaluation, Failure> {
        Ok(Evaluation::Running(state.clone()))
    }
}

/// Runs a job on it, in a test app with a few good sessions.
async fn trained_by(trainer: Noting, mut options: Options) -> (TestApp, Caller, String) {
    let trainer: Box<dyn Trainer> = Box::new(trainer);
    options.trainers = Trainers::new([(Provider::Openai, trainer)]);
    let world = TestApp::with(options).await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions_on_both_sides().await;
    let id = lead.new_training(json!({"provider": "openai"})).await;
    lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
    (world, lead, id)
}

/// A job that failed, once its provider needs no further call, and the errors in its log.
async fn failed(lead: &Caller, id: &str) -> (Value, Vec<Value>) {
    lead.trains(id, &["failed"]).await;
    until(async || lead.training(id).await["stopping"] == json!(false)).await;
    let mut events = lead.training_events(id).await;
    events.retain(|event| event["payload"]["level"] == "error");
    (lead.training(id).await, events)
}

#[tokio::test]
async fn a_refused_submission_leaves_nothing_to_cancel() {
    for category in [Category::User, Category::Auth] {
        let calls = Calls::default();
        let failures = Mutex::new([category].into());
        let trainer = Noting { calls: calls.clone(), failures, calls_nothing_off: true };
        let (_world, lead, id) = trained_by(trainer, Options::default()).await;
        let (job, errors) = failed(&lead, &id).await;
        assert_eq!(job["error"]["code"], "REFUSED", "{job:#}");
        assert_eq!(errors, Vec::<Value>::new());
        assert_eq!(*calls.lock().unwrap(), ["submit"]);
    }
}

#[tokio::test]
async fn a_lost_submit_response_is_cancelled_even_if_resubmission_is_refused() {
    let calls = Calls::default();
    let failures = Mutex::new([Category::Transient, Category::Auth].into());
    let trainer = Noting { calls: calls.clone(), failures, ..Noting::default() };
    let (_world, lead, id) = trained_by(trainer, Options::default()).await;
    let (job, errors) = failed(&lead, &id).await;
    assert_eq!(job["error"]["category"], "auth", "{job:#}");
    assert_eq!(errors, Vec::<Value>::new());
    assert_eq!(*calls.lock().unwrap(), ["submit", "submit", "cancel"]);
}

#[tokio::test]
async fn a_job_under_evaluation_is_cancelled_at_its_provider() {
    let calls = Calls::default();
    let (_world, lead, id) = trained_by(Noting { calls: calls.clone(), ..Noting::default() }, Options::default()).await;
    lead.trains(&id, &["evaluating"]).await;
    let job = lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.expect(202);
    assert_eq!((&job["status"], &job["stopping"]), (&json!("cancelled"), &json!(true)));
    until(async || lead.training(&id).await["stopping"] == json!(false)).await;
    assert_eq!(*calls.lock().unwrap(), ["submit", "cancel"]);
}

#[tokio::test]
async fn an_endless_evaluation_is_cancelled_and_the_trained_model_is_registered() {
    let mut options = Options::default();
    options.settings.tuning.longest = Duration::from_millis(300);
    let calls = Calls::default();
    let (_world, lead, id) = trained_by(Noting { calls: calls.clone(), ..Noting::default() }, options).await;
    let job = lead.trains(&id, &["completed", "failed"]).await;
    assert_eq!((&job["status"], &job["evaluation"]["by"]), (&json!("completed"), &json!("nobody")), "{job:#}");
    assert!(job["evaluation"]["reason"].as_str().unwrap().contains("did not finish"), "{job:#}");
    assert_eq!(*calls.lock().unwrap(), ["submit", "cancel"]);
}
