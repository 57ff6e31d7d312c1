//! The base model. It is trained here from an embedded text, so that nothing has to be downloaded. That takes a few
//! seconds, and the result knows little more than spelling, and that an answer follows a question.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

use crate::model::{Batch, CONTEXT, Model, SeededRandom, encode};

const TEXT: &str = include_str!("base.txt");
const STEPS: usize = 400;
const ROWS: usize = 8;
const SEED: u64 = 20_260_101;

/// Loads the base model from a folder, or trains it and stores it there.
pub fn load_or_train(folder: &Path) -> Result<Model> {
    let file = folder.join("base.safetensors");
    let mut model = Model::new(SEED)?;
    if file.exists() {
        model.weights = load(&file)?;
        return Ok(model);
    }
    let (text, mut random) = (encode(TEXT), SeededRandom::new(SEED));
    let settings = ParamsAdamW { lr: 0.01, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(ordered(&model.weights), settings)?;
    for step in 0..STEPS {
        let row = |at: usize| (text[at..=at + CONTEXT].to_vec(), vec![true; CONTEXT + 1]);
        let rows: Vec<_> = (0..ROWS).map(|_| row(random.below(text.len() - CONTEXT - 1))).collect();
        optimizer.set_learning_rate(0.01 * (1.0 - step as f64 / STEPS as f64));
        optimizer.backward_step(&model.loss(&Batch::new(&rows)?)?)?;
    }
    save(&model.weights, &file)?;
    Ok(model)
}

/// The weights in a fixed order, so that the same steps produce the same model.
pub fn ordered(weights: &HashMap<String, Var>) -> Vec<Var> {
    let mut named: Vec<_> = weights.iter().collect();
    named.sort_by_key(|(name, _)| *name);
    named.into_iter().map(|(_, weight)| weight.clone()).collect()
}

/// Writes the weights atomically: a file that exists is complete.
pub fn save(weights: &HashMap<String, Var>, file: &Path) -> Result<()> {
    let tensors: HashMap<String, Tensor> =
        weights.iter().map(|(name, weight)| (name.clone(), weight.as_tensor().clone())).collect();
    let part = file.with_extension("part");
    candle_core::safetensors::save(&tensors, &part)?;
    std::fs::rename(part, file).with_context(|| format!("{} cannot be written", file.display()))
}

pub fn load(file: &Path) -> Result<HashMap<String, Var>> {
    let tensors = candle_core::safetensors::load(file, &Device::Cpu)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    tensors.into_iter().map(|(name, tensor)| Ok((name, Var::from_tensor(&tensor)?))).collect()
}
