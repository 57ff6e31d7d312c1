//! What a step found, decided: how a job goes on after its dataset was curated, the provider took it, a look, an evaluation,
//! or a failure. Pure.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    clock::Time,
    error::Result,
    id::ModelVersionId,
    session::outcome::{Category, Failure},
    trainer::{Look, Metrics, Phase, Point, Submitted, Trained, TrainerState},
};

use super::{
    MAX_BROKEN_OFF, MAX_TRIES, MAX_UNKNOWN_LOOKS, MAX_WAITS, Measured, Samples, Settings, change::Change,
    event::EventType, failure, status::Status,
};

/// How many messages of one look are kept.
const MOST_MESSAGES: usize = 100;

/// The dataset was made: it is handed over next.
pub fn curated(change: &mut Change, dataset: Samples) {
    let held_out = dataset.held_out.as_ref().map_or(0, |file| file.samples);
    let told = format!("{} samples to train with, {held_out} held out.", dataset.training.samples);
    change.job.dataset = Some(dataset);
    change.log("info", &told);
    settled(change, change.now);
}

/// The provider took it: it is looked at next.
pub fn submitted(change: &mut Change, submitted: Submitted, settings: &Settings) -> Result<()> {
    keep_handover(change, submitted);
    change.go(Status::Running, "the provider has it")?;
    look_later(change, settings);
    Ok(())
}

/// What the provider calls it, also when it was called off meanwhile.
pub fn keep_handover(change: &mut Change, submitted: Submitted) {
    change.job.external_id = Some(submitted.external_id.chars().filter(|c| *c != '\0').take(500).collect());
    change.job.trainer_state = Some(submitted.state);
}

/// The provider refused the first handover, so it has nothing of the job: there is nothing to be called off, also where
/// somebody called it off meanwhile.
pub fn refused(change: &mut Change, trouble: Failure) -> Result<()> {
    change.job.submitted_at = None;
    if change.job.stopping {
        stopped(change);
        return Ok(());
    }
    change.fail(trouble)
}

/// Takes in what a look showed.
pub fn looked(change: &mut Change, look: Look, settings: &Settings) -> Result<()> {
    let Look { state, phase, progress, curve, messages } = look;
    change.job.trainer_state = Some(state);
    change.job.polled_at = Some(change.now);
    for message in messages.iter().take(MOST_MESSAGES) {
        change.log("info", message);
    }
    note_progress(change, progress, curve);
    if phase != Phase::Unknown {
        change.job.unknown_looks = 0;
    }
    match phase {
        Phase::Waiting | Phase::Training => still_running(change, settings),
        Phase::Succeeded(trained) => succeeded(change, trained),
        Phase::Failed(failure) => over_at_provider(change, failure),
        Phase::Cancelled => change.go(Status::Cancelled, "called off at the provider"),
        Phase::Unknown => unknown(change, settings),
    }
}

/// The provider itself says that it is over, or knows nothing of it: there is nothing to be called off.
fn over_at_provider(change: &mut Change, failure: Failure) -> Result<()> {
    change.fail(failure)?;
    stopped(change);
    Ok(())
}

fn note_progress(change: &mut Change, progress: Option<f64>, curve: Vec<Point>) {
    let points: Vec<_> = curve.into_iter().filter_map(readable).collect();
    let told = progress.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0));
    let further = told.filter(|share| Some(*share) != change.job.progress);
    if further.is_none() && points.is_empty() {
        return;
    }
    change.job.progress = further.or(change.job.progress);
    let last = points.last();
    let payload = json!({
        "progress": change.job.progress, "step": last.map(|point| point.step), "loss": last.map(|point| point.loss),
    });
    change.event(EventType::Progress, payload);
    change.points = points;
}

/// A point as it can be kept: figures that are none are left out.
fn readable(point: Point) -> Option<Point> {
    let finite = |figure: Option<f64>| figure.filter(|figure| figure.is_finite());
    (point.loss.is_finite() && point.step >= 0).then(|| Point {
        learning_rate: finite(point.learning_rate),
        eval_loss: finite(point.eval_loss),
        ..point
    })
}

fn still_running(change: &mut Change, settings: &Settings) -> Result<()> {
    if change.job.submitted_at.is_some_and(|since| is_overdue(since, change.now, settings)) {
        let message = format!("The provider did not finish it within {} hours.", hours(settings));
        let remedy = "Retry with fewer epochs or samples, or have TRAINING_LONGEST raised.";
        return change.fail(failure(Category::Timeout, "TRAINING_TIMEOUT", message, remedy));
    }
    look_later(change, settings);
    Ok(())
}

/// Whether what began then takes longer than a provider may take.
pub fn is_overdue(since: Time, now: Time, settings: &Settings) -> bool {
    now - since > TimeDelta::from_std(settings.longest).unwrap_or(TimeDelta::MAX)
}

const fn hours(settings: &Settings) -> u64 {
    settings.longest.as_secs() / 3600
}

/// Why nothing was measured, where the provider did not come to an end with it.
pub fn too_long_to_measure(settings: &Settings) -> Failure {
    let message = format!("the provider did not finish it within {} hours", hours(settings));
    let remedy = "Measure the version by hand, or have TRAINING_LONGEST raised and retry.";
    failure(Category::Agent, "EVALUATION_TIMEOUT", message, remedy)
}

fn succeeded(change: &mut Change, trained: Trained) -> Result<()> {
    change.go(Status::Evaluating, "trained")?;
    change.job.progress = Some(1.0);
    change.job.metrics = merged(&change.job.metrics, &trained.metrics);
    change.spend(trained.cost_micros);
    change.job.trained = Some(keepable(trained));
    settled(change, change.now);
    Ok(())
}

/// What a provider calls its result, as far as it can be kept: an identifier that agents could not be told is none.
fn keepable(trained: Trained) -> Trained {
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(2000).collect::<String>();
    Trained {
        model_identifier: trained.model_identifier.filter(|name| nameable(name)),
        artifact: plain(&trained.artifact),
        cost_micros: trained.cost_micros.map(|micros| micros.max(0)),
        ..trained
    }
}

/// `provider/model`, as agents can be told it.
fn nameable(name: &str) -> bool {
    let parts = name.split_once('/').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty());
    parts && name.len() <= 300 && name.bytes().all(|b| b.is_ascii_graphic())
}

fn unknown(change: &mut Change, settings: &Settings) -> Result<()> {
    change.job.unknown_looks += 1;
    if change.job.unknown_looks >= MAX_UNKNOWN_LOOKS {
        let message = format!("The provider does not know the job, at {MAX_UNKNOWN_LOOKS} looks in a row.");
        let remedy = "Retry the job: it is handed to the provider anew.";
        return over_at_provider(change, failure(Category::Agent, "PROVIDER_LOST_JOB", message, remedy));
    }
    look_later(change, settings);
    Ok(())
}

fn look_later(change: &mut Change, settings: &Settings) {
    change.job.look_pause = settings.pace.next_look(change.job.look_pause);
    let due = change.now + change.job.look_pause;
    settled(change, due);
}

/// A step did what it was for; the next is due then.
fn settled(change: &mut Change, due: Time) {
    change.job.tries = 0;
    change.job.next_step_at = Some(due);
}

/// The evaluation goes on: it is asked about again.
pub fn evaluating(change: &mut Change, state: TrainerState, settings: &Settings) {
    change.job.trainer_state = Some(state);
    look_later(change, settings);
}

/// The result was measured, or it is known why not: it is registered next.
pub fn measured(change: &mut Change, measured: Measured, metrics: &Metrics) {
    change.job.metrics = merged(&change.job.metrics, metrics);
    match &measured.reason {
        Some(reason) => change.log("warn", &format!("The result was not measured: {reason}")),
        None => change.log("info", &format!("Measured on {} held-out samples.", measured.samples)),
    }
    change.job.evaluation = Some(measured);
    settled(change, change.now);
}

/// The version stands in the registry.
pub fn registered(change: &mut Change, id: ModelVersionId, version: String) -> Result<()> {
    let name = change.job.target_model_name.clone();
    let payload = json!({"model": name, "version": version, "metrics": change.job.metrics});
    change.job.model = Some((id, version));
    change.go(Status::Completed, "registered")?;
    change.event(EventType::Completed, payload);
    Ok(())
}

/// The provider was told that nobody wants the job, or can be told no more.
pub fn stopped(change: &mut Change) {
    change.job.stopping = false;
    change.job.next_step_at = None;
}

/// A step could not do what it was for: tried again later, where that makes sense and did not go on for too long.
pub fn troubled(change: &mut Change, trouble: Failure, settings: &Settings) -> Result<()> {
    change.job.tries += 1;
    let tries = change.job.tries;
    if is_passing(&trouble, tries) {
        let asked = Duration::from_secs(trouble.retry_after_seconds.unwrap_or(0)).min(Duration::from_hours(24));
        let pause = settings.pace.next_try(tries).max(asked);
        change.log("warn", &format!("{} Try {tries}; the next in {} s.", trouble.message, pause.as_secs()));
        change.job.next_step_at = Some(change.now + pause);
        return Ok(());
    }
    if change.job.stopping {
        change.log("error", &format!("The provider could not be told to stop: {}", trouble.message));
        stopped(change);
        return Ok(());
    }
    change.fail(trouble)
}

/// Whether it makes sense to try again what failed so often in a row.
pub fn is_passing(trouble: &Failure, tries: i32) -> bool {
    match trouble.category {
        Category::RateLimit => tries < MAX_WAITS,
        Category::Transient | Category::Timeout | Category::Internal => tries < MAX_TRIES,
        _ => false,
    }
}

/// Whether it says that what was asked for was not even begun.
pub const fn is_refusal(trouble: &Failure) -> bool {
    matches!(trouble.category, Category::User | Category::Auth)
}

/// Steps of the job were broken off so often that no further one is begun.
pub fn gave_up(change: &mut Change) -> Result<()> {
    let message = format!("{MAX_BROKEN_OFF} steps in a row were broken off by crashes or time limits.");
    let remedy = "Retry with a smaller dataset (its recipe's limit); if it stays, report the job's id.";
    let failed = failure(Category::Internal, "STEP_BROKEN_OFF", message, remedy);
    if change.job.stopping {
        change.log("error", &failed.message);
        stopped(change);
        return Ok(());
    }
    change.fail(failed)
}

/// Figures with those over them that came later; what is no figure is left out.
fn merged(earlier: &Metrics, later: &Metrics) -> Metrics {
    let either = |later: Option<f64>, earlier| later.filter(|figure| figure.is_finite()).or(earlier);
    Metrics {
        final_loss: either(later.final_loss, earlier.final_loss),
        eval_loss: either(later.eval_loss, earlier.eval_loss),
        accuracy: either(later.accuracy, earlier.accuracy),
        training_duration_seconds: either(later.training_duration_seconds, earlier.training_duration_seconds),
        tokens_processed: later.tokens_processed.or(earlier.tokens_processed),
    }
}
