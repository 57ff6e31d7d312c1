//! Properties of the trainer Bedrock.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use harness::{
    faults::Fault,
    ministack::{REGION, ministack},
    moto::Bedrock,
};
use object_store::aws::AmazonS3Builder;
use serde_json::{Value, json};
use shared::{
    kernel::{clock::Clock, failure::Category},
    platform::object_store::Files,
    training::trainers::{
        Method, Order, Parameters, Trainer, TrainerConnection, TrainingPhase,
        aws::{Aws, AwsSettings},
    },
};

use super::{Call, Member, extra, looked, order, submitted};

pub(super) struct AwsMember {
    server: Bedrock,
    trainer: Aws,
    files: Files,
    bucket: Files,
    place: String,
    steps: std::sync::Mutex<Vec<String>>,
}

pub(super) async fn member() -> AwsMember {
    let (server, files, name) =
        (Bedrock::start().await, Files::open_store("memory:").unwrap(), ministack().bucket().await);
    let store = AmazonS3Builder::new()
        .with_bucket_name(&name)
        .with_endpoint(&ministack().endpoint)
        .with_allow_http(true)
        .with_region(REGION)
        .with_access_key_id("test")
        .with_secret_access_key("test");
    let (bucket, place) = (Files::from_store(store.build().unwrap()), format!("s3://{name}"));
    let settings = AwsSettings {
        role: "arn:aws:iam::123456789012:role/train".to_owned(),
        place: place.clone(),
        region: REGION.to_owned(),
        endpoint: server.endpoint.clone(),
        call_time: Duration::from_secs(2),
        credentials: SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")),
    };
    let trainer = Aws::with_bucket(settings, files.clone(), Clock::System, bucket.clone()).unwrap();
    AwsMember { server, trainer, files, bucket, place, steps: std::sync::Mutex::default() }
}

fn name(order: &Order) -> String {
    format!("ioc-{}-{}", order.job_id, order.attempt)
}

impl AwsMember {
    async fn lines(&self, order: &Order, side: &str) -> Vec<Value> {
        let key = format!("{}/{}/{side}.jsonl", order.tenant_id, name(order));
        let content = self.bucket.read_small(&key, 1 << 20).await.unwrap();
        content.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Lets the next such call meet a fault; whether there are such calls.
    fn fault(&self, call: Call, fault: Fault) -> bool {
        let call = match call {
            Call::Upload => return false,
            Call::Create => "POST /model-customization-jobs",
            Call::Observe => "GET /model-customization-jobs/",
            Call::Cancel => "POST /model-customization-jobs/",
        };
        self.server.faults.add(call, fault);
        true
    }
}

#[async_trait(?Send)]
impl Member for AwsMember {
    fn trainer(&self) -> &dyn Trainer {
        &self.trainer
    }

    fn files(&self) -> &Files {
        &self.files
    }

    fn base_model(&self) -> &'static str {
        "amazon.nova-lite-v1:0"
    }

    async fn train(&self, _: &Order, steps: std::ops::Range<i64>) {
        #[expect(clippy::cast_precision_loss, reason = "steps are few")]
        let row = |step: i64| format!("{step},0,{},1.5", 2.0 / (step + 1) as f64);
        self.steps.lock().unwrap().extend(steps.map(row));
    }

    /// Writes the table of figures where Bedrock does, and says that the job is over.
    async fn succeed(&self, order: &Order) {
        let rows = self.steps.lock().unwrap().join("\n");
        let table = format!("step_number,epoch_number,training_loss,perplexity\n{rows}\n");
        let output = format!("{}/{}/output/model-customization-job-{}", order.tenant_id, name(order), name(order));
        let chunk: Result<_, std::convert::Infallible> = Ok(table.into());
        let key = format!("{output}/training_artifacts/step_wise_training_metrics.csv");
        self.bucket.write(&key, futures_util::stream::iter([chunk])).await.unwrap();
        let over = json!({
            "status": "Completed", "trainingMetrics": {"trainingLoss": 0.25},
            "validationMetrics": [{"validationLoss": 1.25}],
            "creationTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:05:35Z",
        });
        self.server.say(&name(order), over);
    }

    async fn fail(&self, order: &Order) {
        self.server.say(&name(order), json!({"status": "Failed", "failureMessage": "the data is bad"}));
    }

    async fn jobs(&self, order: &Order) -> usize {
        self.server.jobs(&order.job_id.to_string()).await.len()
    }

    /// Moto forgets nothing: the job is asked for by a name that it never heard.
    async fn forget(&self, order: &Order) {
        for _ in 0..2 {
            let gone = r#"{"__type": "ResourceNotFoundException", "message": "not found"}"#;
            let headers = vec![("x-amzn-errortype", "ResourceNotFoundException")];
            let call = ["GET", "POST"].map(|verb| format!("{verb} /model-customization-jobs/{}", name(order)));
            for call in call {
                self.server.faults.add(&call, Fault::Answer(404, headers.clone(), gone));
            }
        }
    }

    fn reports_steps(&self) -> bool {
        false
    }

    fn meets(&self, _: &mut Order, call: Call, fault: Fault) -> bool {
        self.fault(call, fault)
    }
}

#[tokio::test]
async fn both_splits_are_uploaded_in_the_models_format_and_the_metrics_are_read_back() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    let lines = member.lines(&order, "training").await;
    assert_eq!((lines.len(), member.lines(&order, "held-out").await.len()), (12, 3));
    assert_eq!(lines[0]["schemaVersion"], "bedrock-conversation-2024");
    assert!(lines[0].get("metadata").is_none());
    member.train(&order, 0..3).await;
    member.succeed(&order).await;
    let look = looked(&member, &order, &submitted.state, |look| look.progress == Some(1.0)).await;
    let TrainingPhase::Succeeded(trained) = look.phase else { panic!("{look:?}") };
    assert!(trained.artifact.starts_with("arn:aws:bedrock:us-east-1:"), "{trained:?}");
    assert_eq!(trained.model_identifier, None, "it answers nobody before it is deployed");
    assert_eq!(trained.metrics.training_duration_seconds, Some(90.0));
    assert!(member.place.starts_with("s3://"));
}

#[tokio::test]
async fn a_parameter_that_bedrock_does_not_support_is_refused() {
    let member = member().await;
    let check = async |model: &str, change: fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        member.trainer.check(model, &parameters, &TrainerConnection::default()).await.map_err(|failure| failure.code)
    };
    assert_eq!(check(member.base_model(), |_| {}).await, Ok(()));
    assert_eq!(check("a model", |_| {}).await, Err("UNKNOWN_BASE_MODEL".to_owned()));
    assert_eq!(check(member.base_model(), |p| p.method = Method::Dpo).await, Err("PARAMETERS".to_owned()));
    assert_eq!(check(member.base_model(), |p| p.seed = Some(1)).await, Err("PARAMETERS".to_owned()));
}

#[tokio::test]
async fn extra_parameters_reach_bedrock_and_a_refusal_has_its_reason() {
    let member = member().await;
    let mut order = order(&member).await;
    extra(&mut order, "learningRateWarmupSteps", 5);
    member.trainer.submit(&order).await.unwrap();
    let another = super::order(&member).await;
    let said = r#"{"message": "The base model is not customisable"}"#;
    let kind = vec![("x-amzn-errortype", "ValidationException:http://internal.amazon.com/")];
    member.fault(Call::Create, Fault::Answer(400, kind, said));
    let failure = member.trainer.submit(&another).await.unwrap_err();
    assert_eq!(failure.category, Category::User);
    assert!(failure.message.contains("not customisable"), "{failure:?}");
    let kind = vec![("x-amzn-errortype", "ThrottlingException")];
    member.fault(Call::Create, Fault::Answer(400, kind, "{}"));
    assert_eq!(member.trainer.submit(&another).await.unwrap_err().category, Category::RateLimit);
}
