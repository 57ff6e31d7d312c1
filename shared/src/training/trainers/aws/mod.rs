//! Customizes models of Amazon Bedrock (ADR 15), in the account of ioc, with a role for that purpose.
//!
//! The name of a job is derived from the order and unique in the account, so a repeated call has one effect.

mod client;
mod form;
mod results;
mod settings;

use async_trait::async_trait;
use chrono::DateTime;
use serde_json::json;

use crate::{
    kernel::{
        clock::Clock,
        error,
        failure::{Category, Failure},
    },
    models::registry::metrics::Metrics,
    platform::object_store::{Files, Unwritten},
};

use super::{
    Evaluation, Order, Parameters, Submission, TrainedArtifact, Trainer, TrainerConnection, TrainerState, TrainingFile,
    TrainingObservation, TrainingPhase, samples,
    trouble::{of_files, provider_failure, refused_failure, transient_failure},
};
pub use settings::AwsSettings;

use client::{SageMakerClient, SageMakerJob};

/// The largest metric table that is read.
const MOST_BYTES: usize = 16 * 1024 * 1024;

pub struct Aws {
    client: SageMakerClient,
    files: Files,
    /// The store at [`AwsSettings::place`].
    bucket: Files,
    settings: AwsSettings,
}

impl Aws {
    pub fn new(settings: AwsSettings, files: Files, clock: Clock) -> error::Result<Self> {
        let bucket = Files::open_store(&settings.place)?;
        Self::with_bucket(settings, files, clock, bucket)
    }

    /// With a store that was opened elsewhere.
    pub fn with_bucket(settings: AwsSettings, files: Files, clock: Clock, bucket: Files) -> error::Result<Self> {
        Ok(Self { client: SageMakerClient::new(settings.clone(), clock)?, files, bucket, settings })
    }

    /// Writes one side of the split for Bedrock, in the format of the base model.
    async fn hand_over(&self, order: &Order, side: &str, file: &TrainingFile) -> Result<u64, Failure> {
        let form = form::of_model(&order.base_model);
        let written = samples::measure_file(&self.files, file, form).await?;
        let content = samples::stream_lines(&self.files, file, form).await?;
        match self.bucket.write(&format!("{}/{side}.jsonl", order_folder(order)), content).await {
            Ok(()) => Ok(written.samples),
            Err(Unwritten::Content(failure)) => Err(failure),
            Err(Unwritten::Store(error)) => Err(of_files(&error)),
        }
    }

    /// The metric table of a training, if it wrote one.
    async fn read_curve(&self, order: &Order, job: &SageMakerJob) -> Result<Vec<super::Point>, Failure> {
        let id = job.arn.rsplit('/').next().unwrap_or_default();
        let output = format!("{}/output", order_folder(order));
        let keys = self.bucket.list(&output).await.map_err(|error| of_files(&error))?;
        let is_table = |key: &&String| key.ends_with("/step_wise_training_metrics.csv");
        let of_job = |key: &&String| key.contains(&format!("model-customization-job-{id}/"));
        let Some(key) = keys.iter().filter(is_table).find(of_job).or(keys.iter().find(is_table)) else {
            return Ok(Vec::new());
        };
        let table = self.bucket.read_small(key, MOST_BYTES).await.map_err(|error| of_files(&error))?;
        Ok(results::parse_curve(&String::from_utf8_lossy(&table)))
    }
}

fn order_folder(order: &Order) -> String {
    format!("{}/{}", order.tenant_id, form::job_name(order))
}

fn submitted_job(name: String) -> Submission {
    Submission { state: TrainerState(json!({"curve": false})), external_id: name }
}

fn held_out_loss(job: &SageMakerJob) -> Option<f64> {
    job.validation_metrics.first().and_then(|metrics| metrics.validation_loss)
}

fn trained_model(job: &SageMakerJob) -> Result<TrainedArtifact, Failure> {
    let model = job.output_model_arn.clone();
    let artifact =
        model.ok_or_else(|| transient_failure("PROVIDER_MALFORMED", "Bedrock does not name the trained model."))?;
    let time = |text: &Option<String>| DateTime::parse_from_rfc3339(text.as_deref()?).ok();
    #[expect(clippy::cast_precision_loss, reason = "a training does not last for millennia")]
    let duration =
        time(&job.end_time).zip(time(&job.creation_time)).map(|(end, from)| (end - from).num_seconds() as f64);
    Ok(TrainedArtifact {
        // A custom model can be called only after a person deploys it or buys throughput for it.
        model_identifier: None,
        artifact,
        metrics: Metrics {
            final_loss: job.training_metrics.as_ref().and_then(|metrics| metrics.training_loss),
            eval_loss: held_out_loss(job),
            training_duration_seconds: duration,
            ..Metrics::default()
        },
        cost_micros: None,
    })
}

#[async_trait]
impl Trainer for Aws {
    async fn check(&self, base_model: &str, parameters: &Parameters, _: &TrainerConnection) -> Result<(), Failure> {
        form::check_parameters(parameters)?;
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:/".contains(&b);
        if base_model.is_empty() || !base_model.bytes().all(good) {
            return Err(refused_failure(
                "UNKNOWN_BASE_MODEL",
                "Name a base model of Bedrock, such as amazon.nova-lite-v1:0.",
            ));
        }
        Ok(())
    }

    async fn submit(&self, order: &Order) -> Result<Submission, Failure> {
        form::check_parameters(&order.parameters)?;
        let name = form::job_name(order);
        if self.client.find_job(&name).await?.is_some() {
            return Ok(submitted_job(name));
        }
        if self.hand_over(order, "training", &order.training).await? == 0 {
            return Err(refused_failure(
                "NO_SAMPLES",
                "None of the samples can be written as the base model wants them.",
            ));
        }
        let held_out = match &order.held_out {
            Some(file) => self.hand_over(order, "held-out", file).await? > 0,
            None => false,
        };
        let place = format!("{}/{}", self.settings.place, order_folder(order));
        // A concurrent call created the job for the same order.
        self.client.create(&form::request_body(order, &self.settings.role, &place, held_out)).await?;
        Ok(submitted_job(name))
    }

    async fn observe(&self, order: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure> {
        let mut look = TrainingObservation {
            state: state.clone(),
            phase: TrainingPhase::Unknown,
            progress: None,
            curve: vec![],
            messages: vec![],
        };
        let Some(job) = self.client.find_job(&form::job_name(order)).await? else { return Ok(look) };
        look.phase = match job.status.as_str() {
            "Completed" => TrainingPhase::Succeeded(trained_model(&job)?),
            "Failed" => {
                let why = job.failure_message.clone().unwrap_or_else(|| "Bedrock gives no reason.".to_owned());
                TrainingPhase::Failed(provider_failure(Category::Agent, "TRAINING_FAILED", why))
            }
            "Stopped" => TrainingPhase::Cancelled,
            _ => TrainingPhase::Training,
        };
        // Bedrock reports the curve once, at the end.
        if matches!(look.phase, TrainingPhase::Succeeded(_)) {
            look.progress = Some(1.0);
            if state.0["curve"] != json!(true) {
                look.curve = self.read_curve(order, &job).await?;
                look.state = TrainerState(json!({"curve": true}));
            }
        }
        Ok(look)
    }

    async fn cancel(&self, order: &Order, _: &TrainerState) -> Result<(), Failure> {
        self.client.stop_job(&form::job_name(order)).await
    }

    async fn evaluate(&self, order: &Order, _: &TrainerState) -> Result<Evaluation, Failure> {
        let Some(held_out) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        let job = self.client.find_job(&form::job_name(order)).await?;
        Ok(match job.as_ref().and_then(held_out_loss) {
            Some(loss) => Evaluation::Done {
                metrics: Metrics { eval_loss: Some(loss), ..Metrics::default() },
                samples: held_out.samples,
            },
            None => Evaluation::Unsupported,
        })
    }
}
