//! A trainer for ioc: fits a LoRA adapter to a tiny language model of its own, on the CPU. It is called as
//! `docs/trainers.md` says, and with `generate` shows what the result answers.

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
    model::{Adapter, Batch, Chance, Model},
    report::Report,
    samples::Sample,
};

#[derive(Parser)]
#[command(about)]
enum Trainer {
    /// Fit an adapter
    Train(Given),
    /// Measure the fitted adapter on a dataset
    Evaluate(Given),
    /// Answer a question, with the adapter that lies in the output folder or without
    Generate {
        #[arg(long)]
        output: PathBuf,
        #[arg(long)]
        base_only: bool,
        question: String,
    },
}

#[derive(clap::Args)]
struct Given {
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

/// What of the parameters' file we use.
#[derive(Deserialize)]
struct Order {
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
    on_one_processor()?;
    match Trainer::parse() {
        Trainer::Train(given) => reported(&given, train),
        Trainer::Evaluate(given) => reported(&given, evaluate),
        Trainer::Generate { output, base_only, question } => {
            let mut model = base::model(&output)?;
            if !base_only {
                model.adapter = Some(adapter(&output)?);
            }
            println!("{}", model.answer(&samples::asked(&question), 48)?);
            Ok(())
        }
    }
}

/// So small a model is computed five times as fast by one processor as by several, which must agree at every step. Who
/// computes for us reads this from its environment, so we begin once more with it.
fn on_one_processor() -> Result<()> {
    const THREADS: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(THREADS).is_some() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    Err(again.args(std::env::args_os().skip(1)).env(THREADS, "1").exec().into())
}

/// A failure is reported like any other end.
fn reported(given: &Given, work: fn(&Given, &mut Report) -> Result<()>) -> Result<()> {
    let mut report = Report::open(&given.report)?;
    work(given, &mut report).or_else(|error| {
        report.say(&json!({"status": "failed", "code": "LORA_TRAINER", "message": format!("{error:#}")}))
    })
}

fn train(given: &Given, report: &mut Report) -> Result<()> {
    let order: Order = serde_json::from_slice(&std::fs::read(&given.parameters)?)?;
    let (chosen, samples) = (order.parameters, samples::read(&given.dataset)?);
    let seed = chosen.seed.unwrap_or(1);
    report.say(&json!({"message": "Making the base model."}))?;
    let mut model = base::model(&given.output)?;
    let fresh = Adapter::new(&chosen.target_modules, chosen.lora_rank, chosen.lora_alpha, seed)?;
    // Only the adapter learns; the base model stays as it is.
    let settings = ParamsAdamW { lr: chosen.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(base::ordered(&fresh.weights), settings)?;
    model.adapter = Some(fresh);
    let (mut order, mut chance) = ((0..samples.len()).collect::<Vec<_>>(), Chance::new(seed));
    let steps = chosen.epochs * samples.len().div_ceil(chosen.batch_size);
    let (mut step, mut tokens, mut last) = (0, 0, 0.0);
    for _ in 0..chosen.epochs {
        (1..order.len()).rev().for_each(|at| order.swap(at, chance.below(at + 1)));
        for some in order.chunks(chosen.batch_size) {
            let rows: Vec<Sample> = some.iter().map(|at| samples[*at].clone()).collect();
            let loss = model.loss(&Batch::new(&rows)?)?;
            optimizer.backward_step(&loss)?;
            last = loss.to_scalar::<f32>()?;
            tokens += rows.iter().map(|(row, _)| row.len()).sum::<usize>();
            let progress = (step + 1) as f64 / steps as f64;
            report.say(
                &json!({"step": step, "loss": last, "learning_rate": chosen.learning_rate, "progress": progress}),
            )?;
            step += 1;
        }
    }
    keep(model.adapter.as_ref().context("it was just fitted")?, &given.output)?;
    let eval_loss = given.held_out.as_deref().map(|file| measure(&model, file)).transpose()?;
    report.say(&json!({"status": "succeeded", "final_loss": last, "eval_loss": eval_loss, "tokens_processed": tokens,
        "artifact": given.output.join("adapter.safetensors")}))
}

fn evaluate(given: &Given, report: &mut Report) -> Result<()> {
    let mut model = base::model(&given.output)?;
    model.adapter = Some(adapter(&given.output)?);
    let eval_loss = measure(&model, &given.dataset)?;
    report.say(&json!({"status": "succeeded", "eval_loss": eval_loss}))
}

/// The mean loss over a dataset.
fn measure(model: &Model, dataset: &Path) -> Result<f32> {
    let samples = samples::read(dataset)?;
    let mut sum = 0.0;
    for sample in &samples {
        sum += model.loss(&Batch::new(std::slice::from_ref(sample))?)?.to_scalar::<f32>()?;
    }
    Ok(sum / samples.len() as f32)
}

fn keep(adapter: &Adapter, output: &Path) -> Result<()> {
    std::fs::write(output.join("adapter.json"), json!({"scale": adapter.scale}).to_string())?;
    base::save(&adapter.weights, &output.join("adapter.safetensors"))
}

fn adapter(output: &Path) -> Result<Adapter> {
    #[derive(Deserialize)]
    struct Kept {
        scale: f64,
    }
    let Kept { scale } = serde_json::from_slice(&std::fs::read(output.join("adapter.json"))?)?;
    Ok(Adapter { scale, weights: base::load(&output.join("adapter.safetensors"))? })
}
