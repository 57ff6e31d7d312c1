//! A trainer for ioc: fits a LoRA adapter to a tiny language model of its own, on the CPU. `docs/trainers.md` describes
//! how it is called; the command `generate` shows the answers of the result.

mod base;
mod model;
mod report;
mod samples;

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use clap::Parser;
use serde::Deserialize;
use serde_json::json;

use crate::{
    model::{Adapter, Batch, Model, SeededRandom},
    report::Report,
    samples::Sample,
};

#[derive(Parser)]
#[command(about)]
enum Trainer {
    /// Fit an adapter
    Train(Arguments),
    /// Evaluate the fitted adapter on a dataset
    Evaluate(Arguments),
    /// Answer a question, with the adapter in the output folder or with the base model alone
    Generate {
        #[arg(long)]
        output: PathBuf,
        #[arg(long)]
        base_only: bool,
        question: String,
    },
}

#[derive(clap::Args)]
struct Arguments {
    #[arg(long)]
    dataset: PathBuf,
    #[arg(long)]
    held_out: Option<PathBuf>,
    #[arg(long)]
    parameters: PathBuf,
    #[arg(long)]
    output: PathBuf,
    #[arg(long)]
    report: PathBuf,
}

/// The part of the parameters file that this trainer uses.
#[derive(Deserialize)]
struct ParametersFile {
    parameters: Parameters,
}

#[derive(Deserialize)]
struct Parameters {
    epochs: usize,
    learning_rate: f64,
    batch_size: usize,
    lora_rank: usize,
    lora_alpha: f64,
    target_modules: Vec<String>,
    seed: Option<u64>,
}

fn main() -> Result<()> {
    restart_single_threaded()?;
    match Trainer::parse() {
        Trainer::Train(arguments) => run_and_report(&arguments, train),
        Trainer::Evaluate(arguments) => run_and_report(&arguments, evaluate),
        Trainer::Generate { output, base_only, question } => {
            let mut model = base::load_or_train(&output)?;
            if !base_only {
                model.adapter = Some(load_adapter(&output)?);
            }
            println!("{}", model.answer(&samples::format_question(&question), 48)?);
            Ok(())
        }
    }
}

/// Restarts the program with a single compute thread. For so small a model, one thread is five times as fast as several
/// that must synchronize at every step, and candle's thread pool reads its size from the environment.
fn restart_single_threaded() -> Result<()> {
    const THREADS: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(THREADS).is_some() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    Err(again.args(std::env::args_os().skip(1)).env(THREADS, "1").exec().into())
}

/// Runs a command, and reports its failure as the final status.
fn run_and_report(arguments: &Arguments, command: fn(&Arguments, &mut Report) -> Result<()>) -> Result<()> {
    let mut report = Report::open(&arguments.report)?;
    command(arguments, &mut report).or_else(|error| {
        report.write_line(&json!({"status": "failed", "code": "LORA_TRAINER", "message": format!("{error:#}")}))
    })
}

fn train(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let file: ParametersFile = serde_json::from_slice(&std::fs::read(&arguments.parameters)?)?;
    let (chosen, samples) = (file.parameters, samples::read(&arguments.dataset)?);
    let seed = chosen.seed.unwrap_or(1);
    report.write_line(&json!({"message": "Making the base model."}))?;
    let mut model = base::load_or_train(&arguments.output)?;
    let adapter = Adapter::new(&chosen.target_modules, chosen.lora_rank, chosen.lora_alpha, seed)?;
    // Only the adapter is trained; the base model does not change.
    let settings = ParamsAdamW { lr: chosen.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(base::ordered(&adapter.weights), settings)?;
    model.adapter = Some(adapter);
    let (mut order, mut random) = ((0..samples.len()).collect::<Vec<_>>(), SeededRandom::new(seed));
    let steps = chosen.epochs * samples.len().div_ceil(chosen.batch_size);
    let (mut step, mut tokens, mut last) = (0, 0, 0.0);
    for _ in 0..chosen.epochs {
        (1..order.len()).rev().for_each(|at| order.swap(at, random.below(at + 1)));
        for batch in order.chunks(chosen.batch_size) {
            let rows: Vec<Sample> = batch.iter().map(|at| samples[*at].clone()).collect();
            let loss = model.loss(&Batch::new(&rows)?)?;
            optimizer.backward_step(&loss)?;
            last = loss.to_scalar::<f32>()?;
            tokens += rows.iter().map(|(row, _)| row.len()).sum::<usize>();
            let progress = (step + 1) as f64 / steps as f64;
            report.write_line(
                &json!({"step": step, "loss": last, "learning_rate": chosen.learning_rate, "progress": progress}),
            )?;
            step += 1;
        }
    }
    save_adapter(model.adapter.as_ref().context("it was just fitted")?, &arguments.output)?;
    let eval_loss = arguments.held_out.as_deref().map(|file| mean_loss(&model, file)).transpose()?;
    report.write_line(
        &json!({"status": "succeeded", "final_loss": last, "eval_loss": eval_loss, "tokens_processed": tokens,
        "artifact": arguments.output.join("adapter.safetensors")}),
    )
}

fn evaluate(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let mut model = base::load_or_train(&arguments.output)?;
    model.adapter = Some(load_adapter(&arguments.output)?);
    let eval_loss = mean_loss(&model, &arguments.dataset)?;
    report.write_line(&json!({"status": "succeeded", "eval_loss": eval_loss}))
}

/// The mean loss over a dataset.
fn mean_loss(model: &Model, dataset: &Path) -> Result<f32> {
    let samples = samples::read(dataset)?;
    let mut sum = 0.0;
    for sample in &samples {
        sum += model.loss(&Batch::new(std::slice::from_ref(sample))?)?.to_scalar::<f32>()?;
    }
    Ok(sum / samples.len() as f32)
}

fn save_adapter(adapter: &Adapter, output: &Path) -> Result<()> {
    std::fs::write(output.join("adapter.json"), json!({"scale": adapter.scale}).to_string())?;
    base::save(&adapter.weights, &output.join("adapter.safetensors"))
}

fn load_adapter(output: &Path) -> Result<Adapter> {
    #[derive(Deserialize)]
    struct StoredScale {
        scale: f64,
    }
    let StoredScale { scale } = serde_json::from_slice(&std::fs::read(output.join("adapter.json"))?)?;
    Ok(Adapter { scale, weights: base::load(&output.join("adapter.safetensors"))? })
}
