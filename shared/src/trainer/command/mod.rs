//! Trains with a program on the machine that ioc runs on: a folder of an order's own, a process that outlives a restart
//! of ours, and a report that it writes line by line. `docs/trainers.md` is the contract with the program.
//!
//! Only for a host that stays: what is started here lives here.

mod folder;
mod process;
mod report;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Deserialize;

use crate::{
    files::Files,
    session::outcome::{Category, Failure},
};

use super::{
    Connection, Evaluation, Look, Metrics, Order, Parameters, Phase, Submitted, Trained, Trainer, TrainerState,
    trouble::{failure, refusal},
};
use folder::trouble;
use process::{Process, Verb};
use report::{End, News, Place};

/// What a program is told of our environment: where programs and libraries are, and which devices, and no secret.
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

/// How a program says that it does not know what it was asked for, by custom.
const USAGE: [i32; 2] = [2, 64];

/// Which program trains, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    pub program: String,
    pub arguments: Vec<String>,
    /// Below it each order has a folder of its own.
    pub folder: PathBuf,
    /// All that the program knows of our environment.
    pub environment: Vec<(String, String)>,
}

pub struct Command {
    settings: Settings,
    files: Files,
}

impl Command {
    pub fn new(settings: Settings, files: Files) -> Self {
        Self { settings, files }
    }

    /// Nothing is learnt from the samples any more, nor measured on them. One that cannot be removed keeps nobody from what
    /// was found.
    fn forget_samples(&self, order: &Order) {
        if let Err(error) = folder::empty(&folder::of(&self.settings.folder, order)) {
            tracing::warn!(?error, job.id = %order.job_id, "the samples of a training that is over cannot be removed");
        }
    }

    /// How far the measuring on what was held out is; begins it where nothing was measured yet.
    fn measured(&self, order: &Order, samples: u64, state: &TrainerState) -> Result<Evaluation, Failure> {
        let done = |metrics| Ok(Evaluation::Done { metrics, samples });
        let (trained, _) =
            seen(&self.process(order, Verb::Train), Place::default()).map_err(|error| trouble(&error))?;
        if let Some(End::Succeeded { metrics, .. }) = trained.end
            && let Metrics { eval_loss: Some(_), .. } = metrics
        {
            return done(Metrics { final_loss: None, ..metrics });
        }
        let process = self.process(order, Verb::Evaluate);
        if !process.was_started() {
            process.start(&self.settings).map_err(|error| trouble(&error))?;
            return Ok(Evaluation::Running(state.clone()));
        }
        let (news, runs) = seen(&process, Place::default()).map_err(|error| trouble(&error))?;
        match news.end {
            Some(End::Succeeded { metrics, .. }) => done(metrics),
            Some(End::Failed { code, message }) => Err(reported(code, message)),
            Some(End::Unsupported) => Ok(Evaluation::Unsupported),
            None if runs => Ok(Evaluation::Running(state.clone())),
            None if process.exit_code().is_some_and(|code| USAGE.contains(&code)) => Ok(Evaluation::Unsupported),
            None => Err(died(&process)),
        }
    }

    fn process(&self, order: &Order, verb: Verb) -> Process {
        Process { folder: folder::of(&self.settings.folder, order), verb }
    }

    /// Whether the program is where it is said to be.
    fn has_program(&self) -> bool {
        let program = Path::new(&self.settings.program);
        if program.components().count() > 1 {
            return program.is_file();
        }
        let path = self.settings.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_str());
        std::env::split_paths(path.unwrap_or_default()).any(|folder| folder.join(program).is_file())
    }
}

/// What a process shows now.
fn seen(process: &Process, from: Place) -> std::io::Result<(News, bool)> {
    // In this order: what it reported before it ended is read after it was seen to have ended.
    let runs = process.runs()?;
    Ok((report::read(&process.report(), from, runs)?, runs))
}

/// It ended without a word.
fn died(process: &Process) -> Failure {
    let how = process.exit_code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with code {code}"));
    let (tail, what) = (process.log_tail(), process.verb.name());
    let last = if tail.is_empty() { String::new() } else { format!(" Its last words: {tail}") };
    let message = format!("The trainer {how} before it reported an end of `{what}`.{last}");
    failure(Category::Agent, "TRAINER_DIED", message)
}

fn reported(code: Option<String>, message: String) -> Failure {
    failure(Category::Agent, code.unwrap_or_else(|| "TRAINING_FAILED".to_owned()), message)
}

fn kept(place: Place) -> TrainerState {
    TrainerState(serde_json::to_value(place).unwrap_or_default())
}

fn phase(process: &Process, end: Option<End>, runs: bool) -> Phase {
    match end {
        Some(End::Succeeded { artifact, model_identifier, metrics, cost_micros }) => Phase::Succeeded(Trained {
            model_identifier,
            artifact: artifact.unwrap_or_else(|| process.folder.join("output").display().to_string()),
            metrics,
            cost_micros,
        }),
        Some(End::Failed { code, message }) => Phase::Failed(reported(code, message)),
        Some(End::Unsupported) => Phase::Failed(refusal("UNSUPPORTED", "The trainer cannot train this.")),
        None if runs => Phase::Training,
        None if process.folder.join("cancelled").exists() => Phase::Cancelled,
        None if process.was_started() => Phase::Failed(died(process)),
        None => Phase::Unknown,
    }
}

#[async_trait]
impl Trainer for Command {
    async fn check(&self, _: &str, _: &Parameters, _: &Connection) -> Result<(), Failure> {
        if self.has_program() {
            return Ok(());
        }
        let message = format!("The trainer {} is not on this machine (COMMAND_TRAINER).", self.settings.program);
        Err(failure(Category::Internal, "TRAINER_MISSING", message))
    }

    async fn submit(&self, order: &Order) -> Result<Submitted, Failure> {
        let process = self.process(order, Verb::Train);
        if !process.was_started() {
            folder::fill(&process.folder, &self.files, order).await?;
            process.start(&self.settings).map_err(|error| trouble(&error))?;
        }
        Ok(Submitted { external_id: process.folder.display().to_string(), state: kept(Place::default()) })
    }

    async fn look(&self, order: &Order, state: &TrainerState) -> Result<Look, Failure> {
        let process = self.process(order, Verb::Train);
        let from = Place::deserialize(&state.0).unwrap_or_default();
        let (news, runs) = seen(&process, from).map_err(|error| trouble(&error))?;
        let phase = phase(&process, news.end, runs);
        if matches!(phase, Phase::Failed(_)) {
            // Nobody calls off what is over.
            self.forget_samples(order);
        }
        let progress = if matches!(phase, Phase::Succeeded(_)) { Some(1.0) } else { news.progress };
        Ok(Look { state: kept(news.next), phase, progress, curve: news.curve, messages: news.messages })
    }

    async fn cancel(&self, order: &Order, _: &TrainerState) -> Result<(), Failure> {
        let folder = folder::of(&self.settings.folder, order);
        if !folder.exists() {
            return Ok(());
        }
        let marked = std::fs::write(folder.join("cancelled"), "");
        marked.map_err(|error| trouble(&error))?;
        for verb in [Verb::Train, Verb::Evaluate] {
            self.process(order, verb).kill().await.map_err(|error| trouble(&error))?;
        }
        folder::empty(&folder).map_err(|error| trouble(&error))
    }

    async fn evaluate(&self, order: &Order, state: &TrainerState) -> Result<Evaluation, Failure> {
        let Some(held_out) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        let evaluation = self.measured(order, held_out.samples, state);
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
