//! Properties of the trainer with OpenAI's API.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use harness::{
    faults::Fault,
    openai_server::{KEY, OpenAiServer},
};
use serde_json::{Value, json};
use shared::{
    kernel::failure::Category,
    platform::{
        http_client::{Outbound, System},
        object_store::Files,
    },
    training::trainers::{
        Order, Parameters, Trainer, TrainerConnection, TrainingPhase,
        openai::{Openai, OpenaiSettings},
    },
};

use super::{Call, Member, dataset, extra, looked, order, submitted};

pub(super) struct OpenaiMember {
    server: OpenAiServer,
    trainer: Openai,
    files: Files,
}

pub(super) async fn member() -> OpenaiMember {
    let (server, files) = (OpenAiServer::start().await, Files::open_store("memory:").unwrap());
    let prices = vec![("gpt-4o".to_owned(), 25_000_000), ("gpt-4o-mini".to_owned(), 3_000_000)];
    let settings =
        OpenaiSettings { call_time: Duration::from_millis(700), upload_time: Duration::from_secs(5), prices };
    let outbound = Outbound::new(server.place.parse().unwrap(), Arc::new(System)).unwrap();
    OpenaiMember { trainer: Openai::new(settings, files.clone(), outbound), server, files }
}

impl OpenaiMember {
    fn of(&self, order: &Order) -> Vec<harness::openai_server::Tuned> {
        let id = json!(order.job_id);
        let jobs = self.server.jobs().into_iter();
        jobs.filter(|job| job.body["metadata"]["ioc_job"] == id && job.status != "cancelled").collect()
    }

    fn id(&self, order: &Order) -> String {
        self.of(order)[0].id.clone()
    }

    /// Lets the next such call meet a fault; whether there are such calls.
    fn fault(&self, call: Call, fault: Fault) -> bool {
        let call = match call {
            Call::Upload => "POST /v1/files",
            Call::Create => "POST /v1/fine_tuning/jobs",
            Call::Observe => "GET /v1/fine_tuning/jobs/",
            Call::Cancel => "POST /v1/fine_tuning/jobs/",
        };
        self.server.faults.add(call, fault);
        true
    }
}

#[async_trait(?Send)]
impl Member for OpenaiMember {
    fn trainer(&self) -> &dyn Trainer {
        &self.trainer
    }

    fn files(&self) -> &Files {
        &self.files
    }

    fn connection(&self) -> TrainerConnection {
        TrainerConnection { base_url: Some(self.server.base_url.clone()), api_key: Some(KEY.to_owned()) }
    }

    fn base_model(&self) -> &'static str {
        "gpt-4o-mini-2024-07-18"
    }

    async fn train(&self, order: &Order, steps: std::ops::Range<i64>) {
        self.server.train(&self.id(order), steps);
    }

    async fn succeed(&self, order: &Order) {
        self.server.succeed(&self.id(order));
    }

    async fn fail(&self, order: &Order) {
        self.server.fail(&self.id(order), "invalid_training_file", "the data is bad");
    }

    async fn jobs(&self, order: &Order) -> usize {
        let all = self.server.jobs().into_iter().filter(|job| job.body["metadata"]["ioc_job"] == json!(order.job_id));
        // Cancelled duplicates do not count.
        self.of(order).len().max(all.count().min(1))
    }

    async fn forget(&self, _: &Order) {
        self.server.forget_jobs();
    }

    fn meets(&self, _: &mut Order, call: Call, fault: Fault) -> bool {
        self.fault(call, fault)
    }
}

#[tokio::test]
async fn the_job_and_its_files_match_the_order() {
    let member = member().await;
    let mut order = order(&member).await;
    order.parameters.seed = Some(7);
    extra(&mut order, "learning_rate_multiplier", 1.5);
    extra(&mut order, "integrations", json!([{"type": "wandb", "wandb": {"project": "p"}}]));
    member.trainer.submit(&order).await.unwrap();
    let body = member.server.jobs()[0].body.clone();
    let tuned = json!({"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 1.5});
    assert_eq!(body["method"], json!({"type": "supervised", "supervised": {"hyperparameters": tuned}}));
    assert_eq!(body["metadata"], json!({"ioc_job": order.job_id, "ioc_attempt": "1"}));
    assert_eq!((&body["suffix"], &body["seed"]), (&json!("our-fixer"), &json!(7)));
    assert!(body["integrations"].is_array());
    let files = member.server.files();
    assert_eq!([&body["training_file"], &body["validation_file"]], [&json!(files[0].id), &json!(files[1].id)]);
    assert_eq!(files[0].name, format!("ioc-{}-1-training.jsonl", order.job_id));
    let lines: Vec<Value> =
        files[0].content.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines.len(), 12);
    let keys: Vec<_> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["messages"], "what we note of a sample is not the provider's");
}

#[tokio::test]
async fn a_submission_uploads_nothing_twice() {
    let member = member().await;
    let order = order(&member).await;
    member.fault(Call::Create, Fault::status(500));
    member.trainer.submit(&order).await.unwrap_err();
    assert_eq!(member.server.files().len(), 2);
    member.trainer.submit(&order).await.unwrap();
    assert_eq!(member.server.files().len(), 2);
    assert!(member.server.faults.are_used_up());
}

#[tokio::test]
async fn a_job_is_found_among_hundreds_of_others_and_without_metadata() {
    for forgetful in [false, true] {
        let member = member().await;
        if forgetful {
            member.server.forget_metadata();
        }
        let (order, first) = submitted(&member).await;
        member.server.fill_with_others(250);
        assert_eq!(member.trainer.submit(&order).await.unwrap().external_id, first.external_id, "{forgetful}");
        assert_eq!(member.of(&order).len(), 1);
    }
}

#[tokio::test]
async fn the_oldest_of_concurrently_created_jobs_is_kept() {
    let member = member().await;
    let (order, first) = submitted(&member).await;
    member.server.double(&first.external_id);
    assert_eq!(member.trainer.submit(&order).await.unwrap().external_id, first.external_id);
    assert_eq!(member.id(&order), first.external_id);
    assert_eq!(member.of(&order).len(), 1, "the other was cancelled");
}

#[tokio::test]
async fn a_job_whose_id_was_never_recorded_is_still_cancelled() {
    for forgetful in [false, true] {
        let member = member().await;
        if forgetful {
            member.server.forget_metadata();
        }
        let order = order(&member).await;
        member.fault(Call::Create, Fault::LoseAnswer);
        member.trainer.submit(&order).await.unwrap_err();
        assert_eq!(member.of(&order).len(), 1);
        member.trainer.cancel(&order, &shared::training::trainers::TrainerState::default()).await.unwrap();
        assert_eq!(member.of(&order).len(), 0, "{forgetful}");
    }
}

#[tokio::test]
async fn a_success_names_the_model_its_metrics_and_its_cost() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    member.train(&order, 0..3).await;
    member.succeed(&order).await;
    let look = looked(&member, &order, &submitted.state, |_| true).await;
    let TrainingPhase::Succeeded(trained) = look.phase else { panic!("{look:?}") };
    assert_eq!(trained.model_identifier.unwrap(), "openai/ft:gpt-4o-mini-2024-07-18:acme:our-fixer:abc123");
    assert_eq!(trained.cost_micros, Some(6_000_000), "two million tokens at three dollars");
    assert_eq!((trained.metrics.eval_loss, trained.metrics.accuracy), (Some(1.25), Some(0.75)));
    assert_eq!(
        (trained.metrics.tokens_processed, trained.metrics.training_duration_seconds),
        (Some(2_000_000), Some(90.0))
    );
    assert_eq!(look.messages, ["The job has successfully completed"]);
}

#[tokio::test]
async fn an_untrainable_order_is_refused_before_anything_is_curated() {
    let member = member().await;
    let good = member.connection();
    let check = async |model: &str, change: fn(&mut Parameters), connection: &TrainerConnection| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        member.trainer.check(model, &parameters, connection).await.map_err(|failure| (failure.category, failure.code))
    };
    let model = member.base_model();
    assert_eq!(check(model, |_| {}, &good).await, Ok(()));
    let refused = |category, code: &str| Err((category, code.to_owned()));
    assert_eq!(check("gpt-9", |_| {}, &good).await, refused(Category::User, "UNKNOWN_BASE_MODEL"));
    assert_eq!(check(model, |p| p.lora_rank = 64, &good).await, refused(Category::User, "PARAMETERS"));
    let keyless = TrainerConnection { api_key: None, ..good.clone() };
    assert_eq!(check(model, |_| {}, &keyless).await, refused(Category::Auth, "PROVIDER_KEY_MISSING"));
    let wrong = TrainerConnection { api_key: Some("sk-wrong".to_owned()), ..good.clone() };
    assert_eq!(check(model, |_| {}, &wrong).await, refused(Category::Auth, "PROVIDER_AUTH"));
    for closed in ["https://169.254.169.254/v1", "http://127.0.0.1:9/v1", "https://localhost/v1", "no URL"] {
        let closed = TrainerConnection { base_url: Some(closed.to_owned()), ..good.clone() };
        assert_eq!(check(model, |_| {}, &closed).await, refused(Category::User, "PROVIDER_URL"));
    }
}

#[tokio::test]
async fn too_few_samples_are_refused_and_nothing_is_uploaded() {
    let member = member().await;
    let mut order = order(&member).await;
    order.training = dataset(member.files(), order.tenant_id, "nine", 9).await;
    let failure = member.trainer.submit(&order).await.unwrap_err();
    assert_eq!((failure.category, failure.code.as_str()), (Category::User, "TOO_FEW_SAMPLES"));
    assert!(member.server.files().is_empty());
}

#[tokio::test]
async fn an_exhausted_quota_is_not_a_rate_limit() {
    let member = member().await;
    let order = order(&member).await;
    let said = r#"{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}"#;
    member.fault(Call::Create, Fault::Answer(429, vec![("retry-after", "1")], said));
    let failure = member.trainer.submit(&order).await.unwrap_err();
    assert_eq!((failure.category, failure.retry_after_seconds), (Category::Budget, None));
}

#[tokio::test]
async fn the_search_for_an_old_job_stops_at_its_creation_time() {
    let member = member().await;
    let (mut order, first) = submitted(&member).await;
    order.submitted_at = super::long_ago();
    assert_eq!(member.trainer.submit(&order).await.unwrap().external_id, first.external_id);
}
