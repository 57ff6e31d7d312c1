//! Trains with any server of OpenAI's files and fine-tuning jobs API.
//!
//! The API does not make calls idempotent. So files and jobs carry the name of the order (in the file name, and in the
//! metadata), are looked up before they are created, and of concurrent duplicates all but the oldest are cancelled.

mod client;
mod observe;
mod order;
mod settings;
mod wire;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    kernel::failure::{Category, Failure},
    models::registry::metrics::Metrics,
    platform::{http_client::Outbound, object_store::Files},
};

use super::{
    Evaluation, Order, Parameters, Submission, Trainer, TrainerConnection, TrainerState, TrainingFile,
    TrainingObservation,
    samples::{self, conversation_line},
    trouble::refused_failure,
};
pub use settings::OpenaiSettings;

use client::OpenaiClient;
use observe::OpenaiState;
use wire::{File, ListedObject, OpenaiJob};

/// The largest assumed difference between the clocks of the provider and of ours.
const SKEW: TimeDelta = TimeDelta::hours(1);

pub struct Openai {
    settings: OpenaiSettings,
    files: Files,
    outbound: Outbound,
}

impl Openai {
    pub fn new(settings: OpenaiSettings, files: Files, outbound: Outbound) -> Self {
        Self { settings, files, outbound }
    }

    fn client<'a>(&'a self, connection: &'a TrainerConnection) -> Result<OpenaiClient<'a>, Failure> {
        OpenaiClient::new(&self.outbound, &self.settings, connection)
    }

    /// Finds or uploads a file of the order.
    async fn find_or_upload(
        &self,
        client: &OpenaiClient<'_>,
        order: &Order,
        (side, file): (&str, &TrainingFile),
        known: &[File],
    ) -> Result<String, Failure> {
        let name = order::file_name(order, side);
        let whole_bytes = samples::measure_file(&self.files, file, conversation_line).await?.bytes;
        let whole = |one: &&File| {
            one.filename == name
                && one.bytes.is_none_or(|bytes| bytes == whole_bytes)
                && one.status.as_deref() != Some("error")
        };
        if let Some(found) = known.iter().find(whole) {
            return Ok(found.id.clone());
        }
        let content = samples::stream_lines(&self.files, file, conversation_line).await?;
        Ok(client.upload_file(&name, whole_bytes, content).await?.id)
    }
}

fn created_since(order: &Order) -> i64 {
    (order.submitted_at - SKEW).timestamp()
}

/// The order's files at the provider.
async fn list_order_files(client: &OpenaiClient<'_>, order: &Order) -> Result<Vec<File>, Failure> {
    let since = created_since(order);
    let ends = |file: &File| file.created_at() != 0 && file.created_at() < since;
    client.list_files(ends).await
}

/// Finds the job of an order by its metadata, or by its file if the provider keeps none. Of concurrent duplicates, all
/// but the oldest are cancelled.
async fn await_processed(
    client: &OpenaiClient<'_>,
    order: &Order,
    training_file: Option<&str>,
) -> Result<Option<OpenaiJob>, Failure> {
    let (since, marks) = (created_since(order), order::job_metadata(order));
    let is_ours = |job: &OpenaiJob| match &job.metadata {
        Some(kept) if kept.contains_key("ioc_job") => marks.iter().all(|(name, value)| kept.get(name) == Some(value)),
        _ => training_file.is_some() && job.training_file.as_deref() == training_file,
    };
    let ends = |job: &OpenaiJob| job.created_at != 0 && job.created_at < since;
    let mut ours: Vec<OpenaiJob> = client.list_jobs(ends).await?.into_iter().filter(is_ours).collect();
    ours.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    for doubled in ours.iter().skip(1).filter(|job| !job.is_over()) {
        client.cancel_job(&doubled.id).await?;
    }
    Ok(ours.into_iter().next())
}

/// Finds the existing files and job of the order.
async fn find_made(client: &OpenaiClient<'_>, order: &Order) -> Result<(Vec<File>, Option<OpenaiJob>), Failure> {
    let known = list_order_files(client, order).await?;
    let name = order::file_name(order, "training");
    let training = known.iter().find(|file| file.filename == name).map(|file| file.id.as_str());
    let job = await_processed(client, order, training).await?;
    Ok((known, job))
}

fn submitted_job(job: &OpenaiJob) -> Submission {
    Submission { external_id: job.id.clone(), state: OpenaiState::new(&job.id).encode() }
}

#[async_trait]
impl Trainer for Openai {
    async fn check(
        &self,
        base_model: &str,
        parameters: &Parameters,
        connection: &TrainerConnection,
    ) -> Result<(), Failure> {
        order::check_parameters(parameters)?;
        let client = self.client(connection)?;
        if let Some(url) = &connection.base_url {
            let refused = |why| refused_failure("PROVIDER_URL", format!("The provider's base URL {why}."));
            self.outbound.resolve_and_check(url).await.map_err(refused)?;
        }
        if client.has_model(base_model).await? {
            return Ok(());
        }
        Err(refused_failure("UNKNOWN_BASE_MODEL", format!("The provider does not know the base model {base_model}.")))
    }

    async fn submit(&self, order: &Order) -> Result<Submission, Failure> {
        order::check_parameters(&order.parameters)?;
        order::check_samples(order.training.samples)?;
        let client = self.client(&order.connection)?;
        let (known, made_before) = find_made(&client, order).await?;
        if let Some(job) = made_before {
            return Ok(submitted_job(&job));
        }
        let training = self.find_or_upload(&client, order, ("training", &order.training), &known).await?;
        let held_out = match &order.held_out {
            Some(file) => Some(self.find_or_upload(&client, order, ("held-out", file), &known).await?),
            None => None,
        };
        let body: Value = order::request_body(order, &training, held_out.as_deref());
        let created = client.create(&body, &format!("ioc-{}-{}", order.job_id, order.attempt)).await?;
        // Another worker may have created one concurrently. A list without our job, or a rejected list, changes
        // nothing: our job exists.
        let job = match await_processed(&client, order, Some(&training)).await {
            Ok(found) => found.unwrap_or(created),
            Err(refused) if matches!(refused.category, Category::User | Category::Auth) => created,
            Err(failure) => return Err(failure),
        };
        Ok(submitted_job(&job))
    }

    async fn observe(&self, order: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure> {
        observe::observe_job(&self.client(&order.connection)?, order, state, &self.settings.prices).await
    }

    async fn cancel(&self, order: &Order, state: &TrainerState) -> Result<(), Failure> {
        let client = self.client(&order.connection)?;
        let id = match OpenaiState::decode(state) {
            Ok(state) => state.id,
            // It may have been submitted without being recorded.
            Err(_) => match find_made(&client, order).await? {
                (_, Some(job)) => job.id,
                (_, None) => return Ok(()),
            },
        };
        client.cancel_job(&id).await.map(drop)
    }

    async fn evaluate(&self, order: &Order, state: &TrainerState) -> Result<Evaluation, Failure> {
        let Some(held_out) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        let (client, mut state) = (self.client(&order.connection)?, OpenaiState::decode(state)?);
        observe::read_checkpoint(&client, &mut state).await?;
        if state.eval_loss.is_none() && state.accuracy.is_none() {
            return Ok(Evaluation::Unsupported);
        }
        let metrics = Metrics { eval_loss: state.eval_loss, accuracy: state.accuracy, ..Metrics::default() };
        Ok(Evaluation::Done { metrics, samples: held_out.samples })
    }
}
