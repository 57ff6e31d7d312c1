//! What a look at a job shows: its state, and what its events tell that was not told before.

use serde::{Deserialize, Serialize};

use crate::{
    session::outcome::{Category, Failure},
    trainer::{
        Look, Metrics, Order, Phase, Point, Trained, TrainerState,
        trouble::{failure, passing, refusal},
    },
};

use super::{
    client::Client,
    order::MODEL_PROVIDER,
    wire::{Event, Figures, Job},
};

/// What is remembered between two looks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The provider's id of the job.
    pub(super) id: String,
    /// The newest event that was told, and when it was made.
    event: Option<String>,
    event_at: i64,
    /// The last step of the curve that was told.
    step: i64,
    pub(super) loss: Option<f64>,
    pub(super) eval_loss: Option<f64>,
    pub(super) accuracy: Option<f64>,
}

impl State {
    pub(super) fn of(id: &str) -> Self {
        Self { id: id.to_owned(), step: -1, ..Self::default() }
    }

    pub(super) fn read(state: &TrainerState) -> Result<Self, Failure> {
        Self::deserialize(&state.0).ok().filter(|state| !state.id.is_empty()).ok_or_else(|| {
            failure(Category::Internal, "TRAINER_STATE", "What was remembered of the training cannot be read.")
        })
    }

    pub(super) fn kept(&self) -> TrainerState {
        TrainerState(serde_json::to_value(self).unwrap_or_default())
    }

    fn note(&mut self, figures: &Figures) {
        self.loss = figures.train_loss.or(self.loss);
        self.eval_loss = figures.held_out_loss().or(self.eval_loss);
        self.accuracy = figures.accuracy().or(self.accuracy);
    }
}

/// Looks at a job.
pub(super) async fn look(
    client: &Client<'_>,
    order: &Order,
    state: &TrainerState,
    prices: &[(String, i64)],
) -> Result<Look, Failure> {
    let mut state = State::read(state)?;
    let Some(job) = client.job(&state.id).await? else {
        return Ok(Look {
            state: state.kept(),
            phase: Phase::Unknown,
            progress: None,
            curve: vec![],
            messages: vec![],
        });
    };
    let (seen, since) = (state.event.clone(), state.event_at);
    let ends = |event: &Event| seen.as_deref() == Some(event.id.as_str()) || event.created_at < since;
    let mut events = client.events(&job.id, ends).await?;
    if let Some(newest) = events.first() {
        (state.event, state.event_at) = (Some(newest.id.clone()), newest.created_at.max(since));
    }
    events.reverse();
    let (curve, messages, progress) = told(&mut state, events);
    let phase = phase(client, order, &mut state, &job, prices).await?;
    let progress = if matches!(phase, Phase::Succeeded(_)) { Some(1.0) } else { progress };
    Ok(Look { state: state.kept(), phase, progress, curve, messages })
}

/// What events tell, oldest first, of steps that were not told before.
fn told(state: &mut State, events: Vec<Event>) -> (Vec<Point>, Vec<String>, Option<f64>) {
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
        state.note(&data);
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

async fn phase(
    client: &Client<'_>,
    order: &Order,
    state: &mut State,
    job: &Job,
    prices: &[(String, i64)],
) -> Result<Phase, Failure> {
    Ok(match job.status.as_str() {
        "validating_files" | "queued" | "pending" => Phase::Waiting,
        "succeeded" => {
            measure(client, state).await?;
            Phase::Succeeded(trained(order, state, job, prices)?)
        }
        "failed" => Phase::Failed(why(job)),
        "cancelled" => Phase::Cancelled,
        _ => Phase::Training,
    })
}

/// Takes the last checkpoint's figures, where the provider keeps checkpoints: they are of the whole held-out file.
pub(super) async fn measure(client: &Client<'_>, state: &mut State) -> Result<(), Failure> {
    let checkpoints = client.checkpoints(&state.id).await?.unwrap_or_default();
    if let Some(last) = checkpoints.iter().max_by_key(|one| one.step_number) {
        state.note(&last.metrics);
    }
    Ok(())
}

fn trained(order: &Order, state: &State, job: &Job, prices: &[(String, i64)]) -> Result<Trained, Failure> {
    let model = job.fine_tuned_model.clone().filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| passing("PROVIDER_MALFORMED", "The provider does not name the model it made."))?;
    let provider = order.parameters.extra.get(MODEL_PROVIDER).and_then(|name| name.as_str()).unwrap_or("openai");
    #[expect(clippy::cast_precision_loss, reason = "a training does not last for millennia")]
    let duration = job.finished_at.map(|end| (end - job.created_at).max(0) as f64);
    Ok(Trained {
        model_identifier: Some(format!("{provider}/{model}")),
        artifact: model,
        metrics: Metrics {
            final_loss: state.loss,
            eval_loss: state.eval_loss,
            accuracy: state.accuracy,
            training_duration_seconds: duration,
            tokens_processed: job.trained_tokens,
        },
        cost_micros: job.trained_tokens.and_then(|tokens| cost(prices, &order.base_model, tokens)),
    })
}

/// By the longest name in the price list that the base model's begins with.
fn cost(prices: &[(String, i64)], base_model: &str, tokens: i64) -> Option<i64> {
    let known = prices.iter().filter(|(name, _)| base_model.starts_with(name.as_str()));
    let (_, price) = known.max_by_key(|(name, _)| name.len())?;
    i64::try_from(i128::from(tokens) * i128::from(*price) / 1_000_000).ok()
}

fn why(job: &Job) -> Failure {
    let error = job.error.clone().unwrap_or_default();
    let (code, message) = (error.code(), error.message());
    let message = if message.is_empty() { "The provider gives no reason." } else { message };
    let code_of_ours = if code.is_empty() { "TRAINING_FAILED".to_owned() } else { code.to_ascii_uppercase() };
    match code {
        "insufficient_quota" | "exceeded_quota" | "billing_hard_limit_reached" => {
            failure(Category::Budget, code_of_ours, message)
        }
        "server_error" | "internal_error" => passing(&code_of_ours, message),
        _ if code.starts_with("invalid") || code.contains("unsafe") || code.contains("moderation") => {
            refusal(&code_of_ours, message)
        }
        _ => failure(Category::Agent, code_of_ours, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_by_the_longest_name_that_fits() {
        let prices = [("gpt-4o".to_owned(), 25_000_000), ("gpt-4o-mini".to_owned(), 3_000_000)];
        assert_eq!(cost(&prices, "gpt-4o-mini-2024-07-18", 2_000_000), Some(6_000_000));
        assert_eq!(cost(&prices, "gpt-4o-2024-08-06", 10), Some(250));
        assert_eq!(cost(&prices, "llama", 10), None);
    }
}
