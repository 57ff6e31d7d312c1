//! Observes a job: its status, and its new events.

use serde::{Deserialize, Serialize};

use crate::{
    kernel::failure::{Category, Failure},
    models::registry::metrics::Metrics,
    training::trainers::{
        Order, Point, TrainedArtifact, TrainerState, TrainingObservation, TrainingPhase,
        trouble::{provider_failure, refused_failure, transient_failure},
    },
};

use super::{
    client::OpenaiClient,
    order::MODEL_PROVIDER,
    wire::{Figures, OpenaiEvent, OpenaiJob},
};

/// The state that is stored between two observations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OpenaiState {
    /// The provider's id of the job.
    pub(super) id: String,
    /// The newest event that was read, and its time.
    event: Option<String>,
    event_at: i64,
    /// The last reported step of the curve.
    step: i64,
    pub(super) loss: Option<f64>,
    pub(super) eval_loss: Option<f64>,
    pub(super) accuracy: Option<f64>,
}

impl OpenaiState {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), step: -1, ..Self::default() }
    }

    pub(super) fn decode(state: &TrainerState) -> Result<Self, Failure> {
        Self::deserialize(&state.0).ok().filter(|state| !state.id.is_empty()).ok_or_else(|| {
            provider_failure(Category::Internal, "TRAINER_STATE", "What was remembered of the training cannot be read.")
        })
    }

    pub(super) fn encode(&self) -> TrainerState {
        TrainerState(serde_json::to_value(self).unwrap_or_default())
    }

    fn merge_metrics(&mut self, figures: &Figures) {
        self.loss = figures.train_loss.or(self.loss);
        self.eval_loss = figures.held_out_loss().or(self.eval_loss);
        self.accuracy = figures.accuracy().or(self.accuracy);
    }
}

/// Observes a job.
pub(super) async fn observe_job(
    client: &OpenaiClient<'_>,
    order: &Order,
    state: &TrainerState,
    prices: &[(String, i64)],
) -> Result<TrainingObservation, Failure> {
    let mut state = OpenaiState::decode(state)?;
    let Some(job) = client.find_job(&state.id).await? else {
        return Ok(TrainingObservation {
            state: state.encode(),
            phase: TrainingPhase::Unknown,
            progress: None,
            curve: vec![],
            messages: vec![],
        });
    };
    let (seen, since) = (state.event.clone(), state.event_at);
    let ends = |event: &OpenaiEvent| seen.as_deref() == Some(event.id.as_str()) || event.created_at < since;
    let mut events = client.list_events(&job.id, ends).await?;
    if let Some(newest) = events.first() {
        (state.event, state.event_at) = (Some(newest.id.clone()), newest.created_at.max(since));
    }
    events.reverse();
    let (curve, messages, progress) = read_events(&mut state, events);
    let phase = observe_phase(client, order, &mut state, &job, prices).await?;
    let progress = if matches!(phase, TrainingPhase::Succeeded(_)) { Some(1.0) } else { progress };
    Ok(TrainingObservation { state: state.encode(), phase, progress, curve, messages })
}

/// The new points, messages and progress of events, oldest first.
fn read_events(state: &mut OpenaiState, events: Vec<OpenaiEvent>) -> (Vec<Point>, Vec<String>, Option<f64>) {
    let (mut steps, mut messages, mut progress) = (Vec::new(), Vec::new(), None);
    for event in events {
        match event.data.and_then(|data| Some((data.step?, data.train_loss?, data))) {
            Some((step, loss, data)) => steps.push((step, loss, data)),
            None => messages.push(event.message),
        }
    }
    steps.sort_by_key(|(step, ..)| *step);
    let mut curve: Vec<Point> = Vec::new();
    for (step, loss, data) in steps {
        state.merge_metrics(&data);
        if let Some(total) = data.total_steps.filter(|total| *total > 0) {
            #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
            let share = (step as f64 / total as f64).clamp(0.0, 1.0);
            progress = Some(share);
        }
        if step > state.step && loss.is_finite() {
            state.step = step;
            curve.push(Point { step, loss, learning_rate: data.learning_rate, eval_loss: data.held_out_loss() });
        }
    }
    (curve, messages, progress)
}

async fn observe_phase(
    client: &OpenaiClient<'_>,
    order: &Order,
    state: &mut OpenaiState,
    job: &OpenaiJob,
    prices: &[(String, i64)],
) -> Result<TrainingPhase, Failure> {
    Ok(match job.status.as_str() {
        "validating_files" | "queued" | "pending" => TrainingPhase::Waiting,
        "succeeded" => {
            read_checkpoint(client, state).await?;
            TrainingPhase::Succeeded(training_result(order, state, job, prices)?)
        }
        "failed" => TrainingPhase::Failed(job_failure(job)),
        "cancelled" => TrainingPhase::Cancelled,
        _ => TrainingPhase::Training,
    })
}

/// Reads the metrics of the last checkpoint, if the provider keeps checkpoints: they cover the whole held-out file.
pub(super) async fn read_checkpoint(client: &OpenaiClient<'_>, state: &mut OpenaiState) -> Result<(), Failure> {
    let checkpoints = client.list_checkpoints(&state.id).await?.unwrap_or_default();
    if let Some(last) = checkpoints.iter().max_by_key(|one| one.step_number) {
        state.merge_metrics(&last.metrics);
    }
    Ok(())
}

fn training_result(
    order: &Order,
    state: &OpenaiState,
    job: &OpenaiJob,
    prices: &[(String, i64)],
) -> Result<TrainedArtifact, Failure> {
    let model = job.fine_tuned_model.clone().filter(|model| !model.is_empty());
    let model = model
        .ok_or_else(|| transient_failure("PROVIDER_MALFORMED", "The provider does not name the trained model."))?;
    let provider = order.parameters.extra.get(MODEL_PROVIDER).and_then(|name| name.as_str()).unwrap_or("openai");
    #[expect(clippy::cast_precision_loss, reason = "a training does not last for millennia")]
    let duration = job.finished_at.map(|end| (end - job.created_at).max(0) as f64);
    Ok(TrainedArtifact {
        model_identifier: Some(format!("{provider}/{model}")),
        artifact: model,
        metrics: Metrics {
            final_loss: state.loss,
            eval_loss: state.eval_loss,
            accuracy: state.accuracy,
            training_duration_seconds: duration,
            tokens_processed: job.trained_tokens,
        },
        cost_micros: job.trained_tokens.and_then(|tokens| training_cost(prices, &order.base_model, tokens)),
    })
}

/// The cost, by the longest matching prefix in the price list.
fn training_cost(prices: &[(String, i64)], base_model: &str, tokens: i64) -> Option<i64> {
    let known = prices.iter().filter(|(name, _)| base_model.starts_with(name.as_str()));
    let (_, price) = known.max_by_key(|(name, _)| name.len())?;
    i64::try_from(i128::from(tokens) * i128::from(*price) / 1_000_000).ok()
}

fn job_failure(job: &OpenaiJob) -> Failure {
    let error = job.error.clone().unwrap_or_default();
    let (code, message) = (error.code(), error.message());
    let message = if message.is_empty() { "The provider gives no reason." } else { message };
    let code_of_ours = if code.is_empty() { "TRAINING_FAILED".to_owned() } else { code.to_ascii_uppercase() };
    match code {
        "insufficient_quota" | "exceeded_quota" | "billing_hard_limit_reached" => {
            provider_failure(Category::Budget, code_of_ours, message)
        }
        "server_error" | "internal_error" => transient_failure(&code_of_ours, message),
        _ if code.starts_with("invalid") || code.contains("unsafe") || code.contains("moderation") => {
            refused_failure(&code_of_ours, message)
        }
        _ => provider_failure(Category::Agent, code_of_ours, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_by_the_longest_name_that_fits() {
        let prices = [("gpt-4o".to_owned(), 25_000_000), ("gpt-4o-mini".to_owned(), 3_000_000)];
        assert_eq!(training_cost(&prices, "gpt-4o-mini-2024-07-18", 2_000_000), Some(6_000_000));
        assert_eq!(training_cost(&prices, "gpt-4o-2024-08-06", 10), Some(250));
        assert_eq!(training_cost(&prices, "llama", 10), None);
    }
}
