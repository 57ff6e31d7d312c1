//! Trains at whoever speaks OpenAI's files and fine-tuning jobs API.
//!
//! The API promises nothing of a call that is made twice. So what we make carries the order's name (the file by its
//! name, the job in its metadata and by its file), is looked for before it is made, and when two were made at the same
//! time all but the oldest are called off.

mod client;
mod look;
mod order;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    files::Files,
    outbound::Outbound,
    session::outcome::{Category, Failure},
};

use super::{
    Connection, Evaluation, Look, Metrics, Order, Parameters, Submitted, Trainer, TrainerState, TrainingFile,
    samples::{self, conversation},
    trouble::refusal,
};
use client::Client;
use look::State;
use wire::{File, Job, Listed};

/// How far the provider's clock may be from ours.
const SKEW: TimeDelta = TimeDelta::hours(1);

/// What holds for every tenant's provider.
#[derive(Clone, Debug)]
pub struct Settings {
    pub call_time: Duration,
    pub upload_time: Duration,
    /// What a million trained tokens cost, in micro-dollars, by the beginning of the base model's name.
    pub prices: Vec<(String, i64)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { call_time: Duration::from_secs(20), upload_time: Duration::from_mins(10), prices: Vec::new() }
    }
}

pub struct Openai {
    settings: Settings,
    files: Files,
    outbound: Outbound,
}

impl Openai {
    pub fn new(settings: Settings, files: Files, outbound: Outbound) -> Self {
        Self { settings, files, outbound }
    }

    fn client<'a>(&'a self, connection: &'a Connection) -> Result<Client<'a>, Failure> {
        Client::new(&self.outbound, &self.settings, connection)
    }

    /// The file that an order's side was uploaded as, or is now.
    async fn uploaded(
        &self,
        client: &Client<'_>,
        order: &Order,
        (side, file): (&str, &TrainingFile),
        known: &[File],
    ) -> Result<String, Failure> {
        let name = order::file_name(order, side);
        let whole_bytes = samples::measure(&self.files, file, conversation).await?.bytes;
        let whole = |one: &&File| {
            one.filename == name
                && one.bytes.is_none_or(|bytes| bytes == whole_bytes)
                && one.status.as_deref() != Some("error")
        };
        if let Some(found) = known.iter().find(whole) {
            return Ok(found.id.clone());
        }
        let content = samples::stream(&self.files, file, conversation).await?;
        Ok(client.upload(&name, whole_bytes, content).await?.id)
    }
}

fn since(order: &Order) -> i64 {
    (order.submitted_at - SKEW).timestamp()
}

/// The order's files at the provider.
async fn files(client: &Client<'_>, order: &Order) -> Result<Vec<File>, Failure> {
    let since = since(order);
    let ends = |file: &File| file.created_at() != 0 && file.created_at() < since;
    client.files(ends).await
}

/// The order's job, by its metadata, or where the provider keeps none by its file. Of several, which were made at the
/// same time, all but the oldest are called off.
async fn settled(client: &Client<'_>, order: &Order, training_file: Option<&str>) -> Result<Option<Job>, Failure> {
    let (since, marks) = (since(order), order::metadata(order));
    let is_ours = |job: &Job| match &job.metadata {
        Some(kept) if kept.contains_key("ioc_job") => marks.iter().all(|(name, value)| kept.get(name) == Some(value)),
        _ => training_file.is_some() && job.training_file.as_deref() == training_file,
    };
    let ends = |job: &Job| job.created_at != 0 && job.created_at < since;
    let mut ours: Vec<Job> = client.jobs(ends).await?.into_iter().filter(is_ours).collect();
    ours.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    for doubled in ours.iter().skip(1).filter(|job| !job.is_over()) {
        client.cancel(&doubled.id).await?;
    }
    Ok(ours.into_iter().next())
}

/// What was made of the order already: its files, and its job.
async fn made(client: &Client<'_>, order: &Order) -> Result<(Vec<File>, Option<Job>), Failure> {
    let known = files(client, order).await?;
    let name = order::file_name(order, "training");
    let training = known.iter().find(|file| file.filename == name).map(|file| file.id.as_str());
    let job = settled(client, order, training).await?;
    Ok((known, job))
}

fn submitted(job: &Job) -> Submitted {
    Submitted { external_id: job.id.clone(), state: State::of(&job.id).kept() }
}

#[async_trait]
impl Trainer for Openai {
    async fn check(&self, base_model: &str, parameters: &Parameters, connection: &Connection) -> Result<(), Failure> {
        order::check(parameters)?;
        let client = self.client(connection)?;
        if let Some(url) = &connection.base_url {
            let refused = |why| refusal("PROVIDER_URL", format!("The provider's base URL {why}."));
            self.outbound.verify(url).await.map_err(refused)?;
        }
        if client.knows(base_model).await? {
            return Ok(());
        }
        Err(refusal("UNKNOWN_BASE_MODEL", format!("The provider does not know the base model {base_model}.")))
    }

    async fn submit(&self, order: &Order) -> Result<Submitted, Failure> {
        order::check(&order.parameters)?;
        order::check_samples(order.training.samples)?;
        let client = self.client(&order.connection)?;
        let (known, made_before) = made(&client, order).await?;
        if let Some(job) = made_before {
            return Ok(submitted(&job));
        }
        let training = self.uploaded(&client, order, ("training", &order.training), &known).await?;
        let held_out = match &order.held_out {
            Some(file) => Some(self.uploaded(&client, order, ("held-out", file), &known).await?),
            None => None,
        };
        let body: Value = order::body(order, &training, held_out.as_deref());
        let created = client.create(&body, &format!("ioc-{}-{}", order.job_id, order.attempt)).await?;
        // Somebody may have made one at the same time. A list that does not show ours yet changes nothing, nor does one
        // that is refused: ours was begun.
        let job = match settled(&client, order, Some(&training)).await {
            Ok(found) => found.unwrap_or(created),
            Err(refused) if matches!(refused.category, Category::User | Category::Auth) => created,
            Err(failure) => return Err(failure),
        };
        Ok(submitted(&job))
    }

    async fn look(&self, order: &Order, state: &TrainerState) -> Result<Look, Failure> {
        look::look(&self.client(&order.connection)?, order, state, &self.settings.prices).await
    }

    async fn cancel(&self, order: &Order, state: &TrainerState) -> Result<(), Failure> {
        let client = self.client(&order.connection)?;
        let id = match State::read(state) {
            Ok(state) => state.id,
            // It was submitted, maybe, and nobody could note it.
            Err(_) => match made(&client, order).await? {
                (_, Some(job)) => job.id,
                (_, None) => return Ok(()),
            },
        };
        client.cancel(&id).await.map(drop)
    }

    async fn evaluate(&self, order: &Order, state: &TrainerState) -> Result<Evaluation, Failure> {
        let Some(held_out) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        let (client, mut state) = (self.client(&order.connection)?, State::read(state)?);
        look::measure(&client, &mut state).await?;
        if state.eval_loss.is_none() && state.accuracy.is_none() {
            return Ok(Evaluation::Unsupported);
        }
        let metrics = Metrics { eval_loss: state.eval_loss, accuracy: state.accuracy, ..Metrics::default() };
        Ok(Evaluation::Done { metrics, samples: held_out.samples })
    }
}
