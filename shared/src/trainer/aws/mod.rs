//! Customises models of Amazon Bedrock (ADR 15): in the account that ioc runs in, with the role that it is given for it.
//!
//! A job's name follows from the order and is taken once per account, so a call that is made twice has one effect.

mod client;
mod form;
mod results;

use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use chrono::DateTime;
use serde_json::json;

use crate::{
    clock::Clock,
    error::Result as Made,
    files::{Files, Unwritten},
    session::outcome::{Category, Failure},
};

use super::{
    Connection, Evaluation, Look, Metrics, Order, Parameters, Phase, Submitted, Trained, Trainer, TrainerState,
    TrainingFile, samples,
    trouble::{failure, of_files, passing, refusal},
};
use client::{Client, Job};

/// The largest table of figures that is read.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The account's side of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The ARN of the role that Bedrock takes on to read the samples and write the results.
    pub role: String,
    /// `s3://bucket` or `s3://bucket/prefix`: where both lie.
    pub place: String,
    pub region: String,
    pub endpoint: String,
    pub credentials: SharedCredentialsProvider,
    pub call_time: Duration,
}

pub struct Aws {
    client: Client,
    files: Files,
    /// The store at [`Settings::place`].
    bucket: Files,
    settings: Settings,
}

impl Aws {
    pub fn new(settings: Settings, files: Files, clock: Clock) -> Made<Self> {
        let bucket = Files::open(&settings.place)?;
        Self::with_bucket(settings, files, clock, bucket)
    }

    /// With a store that was opened elsewhere.
    pub fn with_bucket(settings: Settings, files: Files, clock: Clock, bucket: Files) -> Made<Self> {
        Ok(Self { client: Client::new(settings.clone(), clock)?, files, bucket, settings })
    }

    /// Puts one side of the split where Bedrock reads it, in the form that the base model wants.
    async fn hand_over(&self, order: &Order, side: &str, file: &TrainingFile) -> Result<u64, Failure> {
        let form = form::of_model(&order.base_model);
        let written = samples::measure(&self.files, file, form).await?;
        let content = samples::stream(&self.files, file, form).await?;
        match self.bucket.write(&format!("{}/{side}.jsonl", folder(order)), content).await {
            Ok(()) => Ok(written.samples),
            Err(Unwritten::Content(failure)) => Err(failure),
            Err(Unwritten::Store(error)) => Err(of_files(&error)),
        }
    }

    /// The table that a training left, where it left one.
    async fn curve(&self, order: &Order, job: &Job) -> Result<Vec<super::Point>, Failure> {
        let id = job.arn.rsplit('/').next().unwrap_or_default();
        let output = format!("{}/output", folder(order));
        let keys = self.bucket.list(&output).await.map_err(|error| of_files(&error))?;
        let is_table = |key: &&String| key.ends_with("/step_wise_training_metrics.csv");
        let of_job = |key: &&String| key.contains(&format!("model-customization-job-{id}/"));
        let Some(key) = keys.iter().filter(is_table).find(of_job).or(keys.iter().find(is_table)) else {
            return Ok(Vec::new());
        };
        let table = self.bucket.small(key, MOST_BYTES).await.map_err(|error| of_files(&error))?;
        Ok(results::curve(&String::from_utf8_lossy(&table)))
    }
}

fn folder(order: &Order) -> String {
    format!("{}/{}", order.tenant_id, form::job_name(order))
}

fn submitted(name: String) -> Submitted {
    Submitted { state: TrainerState(json!({"curve": false})), external_id: name }
}

fn held_out_loss(job: &Job) -> Option<f64> {
    job.validation_metrics.first().and_then(|metrics| metrics.validation_loss)
}

fn trained(job: &Job) -> Result<Trained, Failure> {
    let model = job.output_model_arn.clone();
    let artifact = model.ok_or_else(|| passing("PROVIDER_MALFORMED", "Bedrock does not name the model it made."))?;
    let time = |text: &Option<String>| DateTime::parse_from_rfc3339(text.as_deref()?).ok();
    #[expect(clippy::cast_precision_loss, reason = "a training does not last for millennia")]
    let duration =
        time(&job.end_time).zip(time(&job.creation_time)).map(|(end, from)| (end - from).num_seconds() as f64);
    Ok(Trained {
        // A custom model answers only once it is deployed, or throughput was bought for it; that is for people to do.
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
    async fn check(&self, base_model: &str, parameters: &Parameters, _: &Connection) -> Result<(), Failure> {
        form::check(parameters)?;
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:/".contains(&b);
        if base_model.is_empty() || !base_model.bytes().all(good) {
            return Err(refusal("UNKNOWN_BASE_MODEL", "Name a base model of Bedrock, such as amazon.nova-lite-v1:0."));
        }
        Ok(())
    }

    async fn submit(&self, order: &Order) -> Result<Submitted, Failure> {
        form::check(&order.parameters)?;
        let name = form::job_name(order);
        if self.client.job(&name).await?.is_some() {
            return Ok(submitted(name));
        }
        if self.hand_over(order, "training", &order.training).await? == 0 {
            return Err(refusal("NO_SAMPLES", "None of the samples can be written as the base model wants them."));
        }
        let held_out = match &order.held_out {
            Some(file) => self.hand_over(order, "held-out", file).await? > 0,
            None => false,
        };
        let place = format!("{}/{}", self.settings.place, folder(order));
        // Whoever was there first made it for the same order.
        self.client.create(&form::body(order, &self.settings.role, &place, held_out)).await?;
        Ok(submitted(name))
    }

    async fn look(&self, order: &Order, state: &TrainerState) -> Result<Look, Failure> {
        let mut look =
            Look { state: state.clone(), phase: Phase::Unknown, progress: None, curve: vec![], messages: vec![] };
        let Some(job) = self.client.job(&form::job_name(order)).await? else { return Ok(look) };
        look.phase = match job.status.as_str() {
            "Completed" => Phase::Succeeded(trained(&job)?),
            "Failed" => {
                let why = job.failure_message.clone().unwrap_or_else(|| "Bedrock gives no reason.".to_owned());
                Phase::Failed(failure(Category::Agent, "TRAINING_FAILED", why))
            }
            "Stopped" => Phase::Cancelled,
            _ => Phase::Training,
        };
        // Bedrock tells the curve once, at the end.
        if matches!(look.phase, Phase::Succeeded(_)) {
            look.progress = Some(1.0);
            if state.0["curve"] != json!(true) {
                look.curve = self.curve(order, &job).await?;
                look.state = TrainerState(json!({"curve": true}));
            }
        }
        Ok(look)
    }

    async fn cancel(&self, order: &Order, _: &TrainerState) -> Result<(), Failure> {
        self.client.stop(&form::job_name(order)).await
    }

    async fn evaluate(&self, order: &Order, _: &TrainerState) -> Result<Evaluation, Failure> {
        let Some(held_out) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        let job = self.client.job(&form::job_name(order)).await?;
        Ok(match job.as_ref().and_then(held_out_loss) {
            Some(loss) => Evaluation::Done {
                metrics: Metrics { eval_loss: Some(loss), ..Metrics::default() },
                samples: held_out.samples,
            },
            None => Evaluation::Unsupported,
        })
    }
}
