//! A tiny language model of characters: a decoder-only transformer whose linear layers can carry LoRA adapters.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops::{log_softmax, softmax};

/// How many characters it sees at once.
pub const CONTEXT: usize = 64;
const WIDTH: usize = 48;
const HEADS: usize = 2;
const LAYERS: usize = 2;
/// Printable ASCII; everything else is a line's end.
pub const VOCABULARY: usize = 96;
/// The linear layers of a block, with what goes in and what comes out.
const MODULES: [(&str, usize, usize); 6] = [
    ("q_proj", WIDTH, WIDTH),
    ("k_proj", WIDTH, WIDTH),
    ("v_proj", WIDTH, WIDTH),
    ("o_proj", WIDTH, WIDTH),
    ("up_proj", WIDTH, 4 * WIDTH),
    ("down_proj", 4 * WIDTH, WIDTH),
];

pub fn encode(text: &str) -> Vec<u32> {
    text.chars().map(|c| if (' '..='~').contains(&c) { c as u32 - 31 } else { 0 }).collect()
}

pub fn decode(token: u32) -> char {
    if token == 0 { '\n' } else { char::from_u32(token + 31).unwrap_or('?') }
}

/// Chance that is the same each time: candle cannot be given a seed on the CPU.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// Weights around zero, about as far from it as a layer of so many inputs wants them.
    fn weights(&mut self, shape: (usize, usize), inputs: usize) -> Result<Tensor> {
        let reach = (3.0 / inputs as f32).sqrt();
        let one = |chance: &mut Self| (chance.below(20_001) as f32 / 10_000.0 - 1.0) * reach;
        let values: Vec<f32> = (0..shape.0 * shape.1).map(|_| one(self)).collect();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// What a LoRA adapter adds to the chosen layers: `scale * B A`, with B zero at first, so that it begins as nothing.
pub struct Adapter {
    pub scale: f64,
    pub weights: HashMap<String, Var>,
}

impl Adapter {
    pub fn new(modules: &[String], rank: usize, alpha: f64, seed: u64) -> Result<Self> {
        let (mut chance, mut weights) = (Chance::new(seed), HashMap::new());
        for layer in 0..LAYERS {
            for (name, inputs, outputs) in MODULES.into_iter().filter(|(name, ..)| modules.iter().any(|m| m == name)) {
                let down = chance.weights((inputs, rank), inputs)?;
                let up = Tensor::zeros((rank, outputs), DType::F32, &Device::Cpu)?;
                weights.insert(format!("{layer}.{name}.lora_a"), Var::from_tensor(&down)?);
                weights.insert(format!("{layer}.{name}.lora_b"), Var::from_tensor(&up)?);
            }
        }
        anyhow::ensure!(
            !weights.is_empty(),
            "none of the target_modules is one of {:?}",
            MODULES.map(|(name, ..)| name)
        );
        Ok(Self { scale: alpha / rank as f64, weights })
    }
}

pub struct Model {
    pub weights: HashMap<String, Var>,
    pub adapter: Option<Adapter>,
}

impl Model {
    /// One that has learnt nothing yet.
    pub fn new(seed: u64) -> Result<Self> {
        let (mut chance, mut weights) = (Chance::new(seed), HashMap::new());
        let mut add = |name: String, tensor: Tensor| -> Result<()> {
            weights.insert(name, Var::from_tensor(&tensor)?);
            Ok(())
        };
        add("characters".to_owned(), chance.weights((VOCABULARY, WIDTH), WIDTH)?)?;
        add("places".to_owned(), chance.weights((CONTEXT, WIDTH), WIDTH)?)?;
        for layer in 0..LAYERS {
            for (name, inputs, outputs) in MODULES {
                add(format!("{layer}.{name}"), chance.weights((inputs, outputs), inputs)?)?;
            }
        }
        add("head".to_owned(), chance.weights((WIDTH, VOCABULARY), WIDTH)?)?;
        Ok(Self { weights, adapter: None })
    }

    /// For each place of each row, how likely each character is to come next. Rows lie one below the other.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let (rows, length) = tokens.dims2()?;
        let characters = self.weight("characters")?.embedding(&tokens.flatten_all()?)?;
        let places = self.weight("places")?.narrow(0, 0, length)?;
        let mut x = characters.reshape((rows, length, WIDTH))?.broadcast_add(&places)?.flatten_to(1)?;
        for layer in 0..LAYERS {
            x = (&x + self.attention(layer, &normed(&x)?, (rows, length))?)?;
            let inner = self.linear(layer, "up_proj", &normed(&x)?)?.relu()?;
            x = (&x + self.linear(layer, "down_proj", &inner)?)?;
        }
        Ok(normed(&x)?.matmul(self.weight("head")?)?)
    }

    fn attention(&self, layer: usize, x: &Tensor, (rows, length): (usize, usize)) -> Result<Tensor> {
        let heads = |name| -> Result<Tensor> {
            let all = self.linear(layer, name, x)?.reshape((rows, length, HEADS, WIDTH / HEADS))?;
            Ok(all.transpose(1, 2)?.contiguous()?)
        };
        let (q, k, v) = (heads("q_proj")?, heads("k_proj")?, heads("v_proj")?);
        let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / ((WIDTH / HEADS) as f64).sqrt())?;
        // Nobody looks into the future.
        let hidden = |at: usize| if at % length > at / length { -1e9_f32 } else { 0.0 };
        let hidden = Tensor::from_iter((0..length * length).map(hidden), x.device())?.reshape((length, length))?;
        let seen = softmax(&scores.broadcast_add(&hidden)?, D::Minus1)?.matmul(&v)?;
        self.linear(layer, "o_proj", &seen.transpose(1, 2)?.reshape((rows * length, WIDTH))?)
    }

    fn linear(&self, layer: usize, name: &str, x: &Tensor) -> Result<Tensor> {
        let own = x.matmul(self.weight(&format!("{layer}.{name}"))?)?;
        let Some(adapter) = &self.adapter else { return Ok(own) };
        let part = |end| adapter.weights.get(&format!("{layer}.{name}.{end}"));
        let (Some(a), Some(b)) = (part("lora_a"), part("lora_b")) else { return Ok(own) };
        Ok((own + (x.matmul(a)?.matmul(b)? * adapter.scale)?)?)
    }

    fn weight(&self, name: &str) -> Result<&Var> {
        self.weights.get(name).with_context(|| format!("the model has no weights {name}"))
    }

    /// The mean loss over the characters that count.
    pub fn loss(&self, batch: &Batch) -> Result<Tensor> {
        let likely = log_softmax(&self.forward(&batch.tokens)?, D::Minus1)?;
        let chosen = likely.gather(&batch.next.unsqueeze(1)?, 1)?.squeeze(1)?;
        Ok(((chosen * &batch.counts)?.sum_all()? / -batch.counts.sum_all()?.to_scalar::<f32>()?.max(1.0) as f64)?)
    }

    /// What it says after a text, up to the end of the line, always the likeliest character.
    pub fn answer(&self, text: &str, most: usize) -> Result<String> {
        let (mut tokens, mut said) = (encode(text), String::new());
        while said.len() < most {
            let from = tokens.len().saturating_sub(CONTEXT);
            let seen = Tensor::new(&tokens[from..], &Device::Cpu)?.unsqueeze(0)?;
            let likely = self.forward(&seen)?;
            let next = likely.get(likely.dim(0)? - 1)?.argmax(0)?.to_scalar::<u32>()?;
            if decode(next) == '\n' {
                break;
            }
            said.push(decode(next));
            tokens.push(next);
        }
        Ok(said)
    }
}

fn normed(x: &Tensor) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(x.broadcast_div(&(mean_square + 1e-5)?.sqrt()?)?)
}

/// Rows of characters, which come next, and which of those count.
pub struct Batch {
    tokens: Tensor,
    next: Tensor,
    counts: Tensor,
}

impl Batch {
    /// Rows of one length each; of every pair the second says which characters are to be learnt.
    pub fn new(rows: &[(Vec<u32>, Vec<bool>)]) -> Result<Self> {
        let length = rows.iter().map(|(row, _)| row.len()).max().unwrap_or(2).max(2) - 1;
        let (mut tokens, mut next, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (row, learnt) in rows {
            let at = |place: usize| row.get(place).copied().unwrap_or(0);
            for place in 0..length {
                tokens.push(at(place));
                next.push(at(place + 1));
                counts.push(if learnt.get(place + 1) == Some(&true) { 1_f32 } else { 0.0 });
            }
        }
        let (shape, cpu) = ((rows.len(), length), &Device::Cpu);
        Ok(Self {
            tokens: Tensor::from_vec(tokens, shape, cpu)?,
            next: Tensor::new(next, cpu)?,
            counts: Tensor::new(counts, cpu)?,
        })
    }
}
