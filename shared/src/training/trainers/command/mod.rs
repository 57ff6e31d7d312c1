//! Trains with a program on the host of ioc: a folder per order, a process that survives our restarts, and a report of
//! JSON lines. `docs/trainers.md` is the contract with the program.
//!
//! Only for a permanent host: the processes run there.

mod folder;
mod process;
mod report;
mod settings;

use std::path::Path;

use async_trait::async_trait;
use serde::Deserialize;

use crate::{
    kernel::failure::{Category, Failure},
    models::registry::metrics::Metrics,
    platform::object_store::Files,
};

use super::{
    Evaluation, Order, Parameters, Submission, TrainedArtifact, Trainer, TrainerConnection, TrainerState,
    TrainingObservation, TrainingPhase,
    trouble::{provider_failure, refused_failure},
};
use folder::io_failure;
pub use settings::CommandSettings;

use process::{Process, Verb};
use report::{End, ReportPosition, ReportUpdate};

/// Environment variables that the program receives: search paths and devices, no secrets.
pub const PASSED_ON: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "HF_HOME",
    "VIRTUAL_ENV",
];

/// The conventional exit code for an unknown command.
const USAGE: [i32; 2] = [2, 64];

pub struct Command {
    settings: CommandSettings,
    files: Files,
}

impl Command {
    pub fn new(settings: CommandSettings, files: Files) -> Self {
        Self { settings, files }
    }

    /// Removes the samples, which are no longer needed. A failure to remove them does not affect the result.
    fn forget_samples(&self, order: &Order) {
        if let Err(error) = folder::empty_folder(&folder::order_folder(&self.settings.folder, order)) {
            tracing::warn!(?error, job.id = %order.job_id, "the samples of a finished training were not removed");
        }
    }

    /// The state of the evaluation, which is started if necessary.
    fn with_measures(&self, order: &Order, samples: u64, state: &TrainerState) -> Result<Evaluation, Failure> {
        let done = |metrics| Ok(Evaluation::Done { metrics, samples });
        let (trained, _) = read_report(&self.process_for(order, Verb::Train), ReportPosition::default())
            .map_err(|error| io_failure(&error))?;
        if let Some(End::Succeeded { metrics, .. }) = trained.end
            && let Metrics { eval_loss: Some(_), .. } = metrics
        {
            return done(Metrics { final_loss: None, ..metrics });
        }
        let process = self.process_for(order, Verb::Evaluate);
        if !process.was_started() {
            process.start(&self.settings).map_err(|error| io_failure(&error))?;
            return Ok(Evaluation::Running(state.clone()));
        }
        let (news, runs) = read_report(&process, ReportPosition::default()).map_err(|error| io_failure(&error))?;
        match news.end {
            Some(End::Succeeded { metrics, .. }) => done(metrics),
            Some(End::Failed { code, message }) => Err(reported_failure(code, message)),
            Some(End::Unsupported) => Ok(Evaluation::Unsupported),
            None if runs => Ok(Evaluation::Running(state.clone())),
            None if process.exit_code().is_some_and(|code| USAGE.contains(&code)) => Ok(Evaluation::Unsupported),
            None => Err(died_failure(&process)),
        }
    }

    fn process_for(&self, order: &Order, verb: Verb) -> Process {
        Process { folder: folder::order_folder(&self.settings.folder, order), verb }
    }

    /// Whether the program exists.
    fn has_program(&self) -> bool {
        let program = Path::new(&self.settings.program);
        if program.components().count() > 1 {
            return program.is_file();
        }
        let path = self.settings.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_str());
        std::env::split_paths(path.unwrap_or_default()).any(|folder| folder.join(program).is_file())
    }
}

/// The phase of a process.
fn read_report(process: &Process, from: ReportPosition) -> std::io::Result<(ReportUpdate, bool)> {
    // In this order: the report is read after the process was seen to have ended.
    let runs = process.is_running()?;
    Ok((report::read(&process.report_file(), from, runs)?, runs))
}

/// The failure for a process that ended without a result.
fn died_failure(process: &Process) -> Failure {
    let how = process.exit_code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with code {code}"));
    let (tail, what) = (process.log_tail(), process.verb.name());
    let last = if tail.is_empty() { String::new() } else { format!(" Its last words: {tail}") };
    let message = format!("The trainer {how} before it reported an end of `{what}`.{last}");
    provider_failure(Category::Agent, "TRAINER_DIED", message)
}

fn reported_failure(code: Option<String>, message: String) -> Failure {
    provider_failure(Category::Agent, code.unwrap_or_else(|| "TRAINING_FAILED".to_owned()), message)
}

fn encode_state(place: ReportPosition) -> TrainerState {
    TrainerState(serde_json::to_value(place).unwrap_or_default())
}

fn phase_of(process: &Process, end: Option<End>, runs: bool) -> TrainingPhase {
    match end {
        Some(End::Succeeded { artifact, model_identifier, metrics, cost_micros }) => {
            TrainingPhase::Succeeded(TrainedArtifact {
                model_identifier,
                artifact: artifact.unwrap_or_else(|| process.folder.join("output").display().to_string()),
                metrics,
                cost_micros,
            })
        }
        Some(End::Failed { code, message }) => TrainingPhase::Failed(reported_failure(code, message)),
        Some(End::Unsupported) => {
            TrainingPhase::Failed(refused_failure("UNSUPPORTED", "The trainer cannot train this."))
        }
        None if runs => TrainingPhase::Training,
        None if process.folder.join("cancelled").exists() => TrainingPhase::Cancelled,
        None if process.was_started() => TrainingPhase::Failed(died_failure(process)),
        None => TrainingPhase::Unknown,
    }
}

#[async_trait]
impl Trainer for Command {
    async fn check(&self, _: &str, _: &Parameters, _: &TrainerConnection) -> Result<(), Failure> {
        if self.has_program() {
            return Ok(());
        }
        let message = format!("The trainer {} is not on this machine (COMMAND_TRAINER).", self.settings.program);
        Err(provider_failure(Category::Internal, "TRAINER_MISSING", message))
    }

    async fn submit(&self, order: &Order) -> Result<Submission, Failure> {
        let process = self.process_for(order, Verb::Train);
        if !process.was_started() {
            folder::fill_folder(&process.folder, &self.files, order).await?;
            process.start(&self.settings).map_err(|error| io_failure(&error))?;
        }
        Ok(Submission {
            external_id: process.folder.display().to_string(),
            state: encode_state(ReportPosition::default()),
        })
    }

    async fn observe(&self, order: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure> {
        let process = self.process_for(order, Verb::Train);
        let from = ReportPosition::deserialize(&state.0).unwrap_or_default();
        let (news, runs) = read_report(&process, from).map_err(|error| io_failure(&error))?;
        let phase = phase_of(&process, news.end, runs);
        if matches!(phase, TrainingPhase::Failed(_)) {
            // A finished training cannot be cancelled.
            self.forget_samples(order);
        }
        let progress = if matches!(phase, TrainingPhase::Succeeded(_)) { Some(1.0) } else { news.progress };
        Ok(TrainingObservation {
            state: encode_state(news.next),
            phase,
            progress,
            curve: news.curve,
            messages: news.messages,
        })
    }

    async fn cancel(&self, order: &Order, _: &TrainerState) -> Result<(), Failure> {
        let folder = folder::order_folder(&self.settings.folder, order);
        if !folder.exists() {
            return Ok(());
        }
        let marked = std::fs::write(folder.join("cancelled"), "");
        marked.map_err(|error| io_failure(&error))?;
        for verb in [Verb::Train, Verb::Evaluate] {
            self.process_for(order, verb).kill().await.map_err(|error| io_failure(&error))?;
        }
        folder::empty_folder(&folder).map_err(|error| io_failure(&error))
    }

    async fn evaluate(&self, order: &Order, state: &TrainerState) -> Result<Evaluation, Failure> {
        let Some(held_out) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        let evaluation = self.with_measures(order, held_out.samples, state);
        let goes_on = match &evaluation {
            Ok(evaluation) => matches!(evaluation, Evaluation::Running(_)),
            Err(failure) => failure.category == Category::Transient,
        };
        if !goes_on {
            self.forget_samples(order);
        }
        evaluation
    }
}
