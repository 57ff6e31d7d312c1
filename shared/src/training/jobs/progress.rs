//! Decides how a job continues after a step: curation, submission, a poll, an evaluation, or a failure. Pure.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        failure::{Category, Failure},
        id::ModelVersionId,
    },
    models::registry::metrics::Metrics,
    training::trainers::{Point, Submission, TrainedArtifact, TrainerState, TrainingObservation, TrainingPhase},
};

use super::{
    EvaluationSummary, JobDataset, MAX_FAILED_STEPS, MAX_INTERRUPTED_STEPS, MAX_TRIES, MAX_UNKNOWN_LOOKS, MAX_WAITS,
    TrainingSettings, change::TrainingJobChange, event::TrainingEventType, job_failure, status::TrainingStatus,
};

/// How many messages of one observation are stored.
const MAX_MESSAGES: usize = 100;

/// The dataset was created: it is submitted next.
pub fn on_curated(change: &mut TrainingJobChange, dataset: JobDataset) {
    let held_out = dataset.held_out.as_ref().map_or(0, |file| file.samples);
    let reported = format!("{} samples to train with, {held_out} held out.", dataset.training.samples);
    change.job.dataset = Some(dataset);
    change.add_log("info", &reported);
    complete_step(change, change.now);
}

/// The provider accepted the job: it is polled next.
pub fn on_submitted(change: &mut TrainingJobChange, submitted: Submission, settings: &TrainingSettings) -> Result<()> {
    record_handover(change, submitted);
    change.transition_to(TrainingStatus::Running, "submitted to the provider")?;
    poll_later(change, settings);
    Ok(())
}

/// Stores the provider's id of the job, also if the job was cancelled meanwhile.
pub fn record_handover(change: &mut TrainingJobChange, submitted: Submission) {
    change.job.external_id = Some(submitted.external_id.chars().filter(|c| *c != '\0').take(500).collect());
    change.job.trainer_state = Some(submitted.state);
}

/// The provider rejected the first submission, so there is nothing to cancel there, even if the job was cancelled
/// meanwhile.
pub fn on_refused(change: &mut TrainingJobChange, error: Failure) -> Result<()> {
    change.job.submitted_at = None;
    if change.job.stopping {
        on_stopped(change);
        return Ok(());
    }
    change.fail(error)
}

/// Applies an observation.
pub fn on_observation(
    change: &mut TrainingJobChange,
    observation: TrainingObservation,
    settings: &TrainingSettings,
) -> Result<()> {
    let TrainingObservation { state, phase, progress, curve, messages } = observation;
    change.job.trainer_state = Some(state);
    change.job.polled_at = Some(change.now);
    for message in messages.iter().take(MAX_MESSAGES) {
        change.add_log("info", message);
    }
    record_progress(change, progress, curve);
    if phase != TrainingPhase::Unknown {
        change.job.schedule.not_found_polls = 0;
    }
    match phase {
        TrainingPhase::Waiting | TrainingPhase::Training => on_still_running(change, settings),
        TrainingPhase::Succeeded(trained) => on_succeeded(change, trained),
        TrainingPhase::Failed(failure) => fail_at_provider(change, failure),
        TrainingPhase::Cancelled => change.transition_to(TrainingStatus::Cancelled, "cancelled at the provider"),
        TrainingPhase::Unknown => on_unknown_job(change, settings),
    }
}

/// The provider reports that the job ended, or does not know it: there is nothing to cancel there.
fn fail_at_provider(change: &mut TrainingJobChange, failure: Failure) -> Result<()> {
    change.fail(failure)?;
    on_stopped(change);
    Ok(())
}

fn record_progress(change: &mut TrainingJobChange, progress: Option<f64>, curve: Vec<Point>) {
    let points: Vec<_> = curve.into_iter().filter_map(finite_point).collect();
    let reported = progress.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0));
    let further = reported.filter(|share| Some(*share) != change.job.progress);
    if further.is_none() && points.is_empty() {
        return;
    }
    change.job.progress = further.or(change.job.progress);
    let last = points.last();
    let payload = json!({
        "progress": change.job.progress, "step": last.map(|point| point.step), "loss": last.map(|point| point.loss),
    });
    change.add_event(TrainingEventType::Progress, payload);
    change.points = points;
}

/// The point without values that are not finite; `None` if its loss is not finite.
fn finite_point(point: Point) -> Option<Point> {
    let finite = |figure: Option<f64>| figure.filter(|figure| figure.is_finite());
    (point.loss.is_finite() && point.step >= 0).then(|| Point {
        learning_rate: finite(point.learning_rate),
        eval_loss: finite(point.eval_loss),
        ..point
    })
}

fn on_still_running(change: &mut TrainingJobChange, settings: &TrainingSettings) -> Result<()> {
    if change.job.submitted_at.is_some_and(|since| is_overdue(since, change.now, settings)) {
        let message = format!("The provider did not finish it within {} hours.", max_hours(settings));
        let remedy = "Retry with fewer epochs or samples, or have TRAINING_TIMEOUT raised.";
        return change.fail(job_failure(Category::Timeout, "TRAINING_TIMEOUT", message, remedy));
    }
    poll_later(change, settings);
    Ok(())
}

/// Whether something that began at `since` exceeds the time limit of a provider.
pub fn is_overdue(since: Time, now: Time, settings: &TrainingSettings) -> bool {
    now - since > TimeDelta::from_std(settings.longest).unwrap_or(TimeDelta::MAX)
}

const fn max_hours(settings: &TrainingSettings) -> u64 {
    settings.longest.as_secs() / 3600
}

/// The failure for an evaluation that exceeded the time limit.
pub fn too_long_to_measure(settings: &TrainingSettings) -> Failure {
    let message = format!("the provider did not finish it within {} hours", max_hours(settings));
    let remedy = "Measure the version by hand, or have TRAINING_TIMEOUT raised and retry.";
    job_failure(Category::Agent, "EVALUATION_TIMEOUT", message, remedy)
}

fn on_succeeded(change: &mut TrainingJobChange, trained: TrainedArtifact) -> Result<()> {
    change.transition_to(TrainingStatus::Evaluating, "trained")?;
    change.job.progress = Some(1.0);
    change.job.metrics = merge_metrics(&change.job.metrics, &trained.metrics);
    change.add_cost(trained.cost_micros);
    change.job.trained = Some(sanitize(trained));
    complete_step(change, change.now);
    Ok(())
}

/// The result with texts that can be stored. A model identifier that agents could not use is dropped.
fn sanitize(trained: TrainedArtifact) -> TrainedArtifact {
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(2000).collect::<String>();
    TrainedArtifact {
        model_identifier: trained.model_identifier.filter(|name| is_model_identifier(name)),
        artifact: plain(&trained.artifact),
        cost_micros: trained.cost_micros.map(|micros| micros.max(0)),
        ..trained
    }
}

/// Whether a text is a valid `provider/model`.
fn is_model_identifier(name: &str) -> bool {
    let parts = name.split_once('/').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty());
    parts && name.len() <= 300 && name.bytes().all(|b| b.is_ascii_graphic())
}

fn on_unknown_job(change: &mut TrainingJobChange, settings: &TrainingSettings) -> Result<()> {
    change.job.schedule.not_found_polls += 1;
    if change.job.schedule.not_found_polls >= MAX_UNKNOWN_LOOKS {
        let message = format!("The provider did not know the job in {MAX_UNKNOWN_LOOKS} polls in a row.");
        let remedy = "Retry the job: it is submitted again.";
        return fail_at_provider(change, job_failure(Category::Agent, "PROVIDER_LOST_JOB", message, remedy));
    }
    poll_later(change, settings);
    Ok(())
}

fn poll_later(change: &mut TrainingJobChange, settings: &TrainingSettings) {
    change.job.schedule.poll_interval = settings.pace.next_interval(change.job.schedule.poll_interval);
    let due = change.now + change.job.schedule.poll_interval;
    complete_step(change, due);
}

/// Completes a step and schedules the next.
fn complete_step(change: &mut TrainingJobChange, due: Time) {
    change.job.schedule.transient_failures = 0;
    change.job.schedule.next_step_at = Some(due);
}

/// The evaluation continues and is polled again.
pub fn on_evaluation_running(change: &mut TrainingJobChange, state: TrainerState, settings: &TrainingSettings) {
    change.job.trainer_state = Some(state);
    poll_later(change, settings);
}

/// The result was evaluated, or could not be: it is registered next.
pub fn on_evaluated(change: &mut TrainingJobChange, measured: EvaluationSummary, metrics: &Metrics) {
    change.job.metrics = merge_metrics(&change.job.metrics, metrics);
    match &measured.reason {
        Some(reason) => change.add_log("warn", &format!("The result was not measured: {reason}")),
        None => change.add_log("info", &format!("Measured on {} held-out samples.", measured.samples)),
    }
    change.job.evaluation = Some(measured);
    complete_step(change, change.now);
}

/// The version is registered.
pub fn on_registered(change: &mut TrainingJobChange, id: ModelVersionId, version: String) -> Result<()> {
    let name = change.job.target_model_name.clone();
    let payload = json!({"model": name, "version": version, "metrics": change.job.metrics});
    change.job.model = Some((id, version));
    change.transition_to(TrainingStatus::Completed, "registered")?;
    change.add_event(TrainingEventType::Completed, payload);
    Ok(())
}

/// The job was cancelled at the provider, or cannot be.
pub fn on_stopped(change: &mut TrainingJobChange) {
    change.job.stopping = false;
    change.job.schedule.next_step_at = None;
}

/// A step failed: it is retried if the failure is transient and did not repeat too often.
pub fn on_failure(change: &mut TrainingJobChange, error: Failure, settings: &TrainingSettings) -> Result<()> {
    change.job.schedule.transient_failures += 1;
    let tries = change.job.schedule.transient_failures;
    if is_retryable(&error, tries) {
        let asked = Duration::from_secs(error.retry_after_seconds.unwrap_or(0)).min(Duration::from_hours(24));
        let pause = settings.pace.retry.retry_delay(tries).max(asked);
        change.add_log("warn", &format!("{} Try {tries}; the next in {} s.", error.message, pause.as_secs()));
        change.job.schedule.next_step_at = Some(change.now + pause);
        return Ok(());
    }
    if change.job.stopping {
        change.add_log("error", &format!("The job could not be cancelled at the provider: {}", error.message));
        on_stopped(change);
        return Ok(());
    }
    change.fail(error)
}

/// Whether a failure after so many attempts should be retried.
pub fn is_retryable(error: &Failure, tries: i32) -> bool {
    match error.category {
        Category::RateLimit => tries < MAX_WAITS,
        Category::Transient | Category::Timeout | Category::Internal => tries < MAX_TRIES,
        _ => false,
    }
}

/// Whether the failure means that the request had no effect.
pub const fn is_refusal(error: &Failure) -> bool {
    matches!(error.category, Category::User | Category::Auth)
}

/// Too many steps in a row were interrupted: the job fails.
pub fn on_retries_exhausted(change: &mut TrainingJobChange) -> Result<()> {
    let message = format!("{MAX_INTERRUPTED_STEPS} consecutive steps were interrupted by crashes or time limits.");
    let remedy = "Retry with a smaller dataset (its recipe's limit); if it stays, report the job's id.";
    end_exhausted(change, job_failure(Category::Internal, "STEP_BROKEN_OFF", message, remedy))
}

/// Too many steps in a row failed for a reason of their own: the job fails.
pub fn on_failed_steps_exhausted(change: &mut TrainingJobChange) -> Result<()> {
    let message = format!("A step of this job failed {MAX_FAILED_STEPS} times in a row on our side.");
    let remedy = "Retry; if it stays, report the job's id.";
    end_exhausted(change, job_failure(Category::Internal, "INTERNAL_ERROR", message, remedy))
}

fn end_exhausted(change: &mut TrainingJobChange, failed: Failure) -> Result<()> {
    if change.job.stopping {
        change.add_log("error", &failed.message);
        on_stopped(change);
        return Ok(());
    }
    change.fail(failed)
}

/// Merges metrics. Later values replace earlier ones; values that are not finite are dropped.
fn merge_metrics(earlier: &Metrics, later: &Metrics) -> Metrics {
    let either = |later: Option<f64>, earlier| later.filter(|figure| figure.is_finite()).or(earlier);
    Metrics {
        final_loss: either(later.final_loss, earlier.final_loss),
        eval_loss: either(later.eval_loss, earlier.eval_loss),
        accuracy: either(later.accuracy, earlier.accuracy),
        training_duration_seconds: either(later.training_duration_seconds, earlier.training_duration_seconds),
        tokens_processed: later.tokens_processed.or(earlier.tokens_processed),
    }
}
