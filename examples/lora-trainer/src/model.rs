//! A tiny character-level language model: a decoder-only transformer whose linear layers can have LoRA adapters.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops::{log_softmax, softmax};

/// The context length in characters.
pub const CONTEXT: usize = 64;
const WIDTH: usize = 48;
const HEADS: usize = 2;
const LAYERS: usize = 2;
/// Printable ASCII; every other character counts as a line end.
pub const VOCABULARY: usize = 96;
/// The linear layers of a block, with their numbers of inputs and outputs.
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

/// A reproducible random generator (xorshift), because candle accepts no seed on the CPU.
pub struct SeededRandom(u64);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// Uniform weights around zero, scaled by the number of inputs of the layer.
    fn weights(&mut self, shape: (usize, usize), inputs: usize) -> Result<Tensor> {
        let reach = (3.0 / inputs as f32).sqrt();
        let one = |random: &mut Self| (random.below(20_001) as f32 / 10_000.0 - 1.0) * reach;
        let values: Vec<f32> = (0..shape.0 * shape.1).map(|_| one(self)).collect();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// The addition of a LoRA adapter to the chosen layers: `scale * B A`. B starts at zero, so a new adapter changes
/// nothing.
pub struct Adapter {
    pub scale: f64,
    pub weights: HashMap<String, Var>,
}

impl Adapter {
    pub fn new(modules: &[String], rank: usize, alpha: f64, seed: u64) -> Result<Self> {
        let (mut random, mut weights) = (SeededRandom::new(seed), HashMap::new());
        for layer in 0..LAYERS {
            for (name, inputs, outputs) in MODULES.into_iter().filter(|(name, ..)| modules.iter().any(|m| m == name)) {
                let down = random.weights((inputs, rank), inputs)?;
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
    /// An untrained model.
    pub fn new(seed: u64) -> Result<Self> {
        let (mut random, mut weights) = (SeededRandom::new(seed), HashMap::new());
        let mut add = |name: String, tensor: Tensor| -> Result<()> {
            weights.insert(name, Var::from_tensor(&tensor)?);
            Ok(())
        };
        add("characters".to_owned(), random.weights((VOCABULARY, WIDTH), WIDTH)?)?;
        add("positions".to_owned(), random.weights((CONTEXT, WIDTH), WIDTH)?)?;
        for layer in 0..LAYERS {
            for (name, inputs, outputs) in MODULES {
                add(format!("{layer}.{name}"), random.weights((inputs, outputs), inputs)?)?;
            }
        }
        add("head".to_owned(), random.weights((WIDTH, VOCABULARY), WIDTH)?)?;
        Ok(Self { weights, adapter: None })
    }

    /// The logits of the next character at each position of each row, with the rows stacked.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let (rows, length) = tokens.dims2()?;
        let characters = self.weight("characters")?.embedding(&tokens.flatten_all()?)?;
        let positions = self.weight("positions")?.narrow(0, 0, length)?;
        let mut x = characters.reshape((rows, length, WIDTH))?.broadcast_add(&positions)?.flatten_to(1)?;
        for layer in 0..LAYERS {
            x = (&x + self.attention(layer, &rms_norm(&x)?, (rows, length))?)?;
            let inner = self.linear(layer, "up_proj", &rms_norm(&x)?)?.relu()?;
            x = (&x + self.linear(layer, "down_proj", &inner)?)?;
        }
        Ok(rms_norm(&x)?.matmul(self.weight("head")?)?)
    }

    fn attention(&self, layer: usize, x: &Tensor, (rows, length): (usize, usize)) -> Result<Tensor> {
        let heads = |name| -> Result<Tensor> {
            let all = self.linear(layer, name, x)?.reshape((rows, length, HEADS, WIDTH / HEADS))?;
            Ok(all.transpose(1, 2)?.contiguous()?)
        };
        let (q, k, v) = (heads("q_proj")?, heads("k_proj")?, heads("v_proj")?);
        let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / ((WIDTH / HEADS) as f64).sqrt())?;
        // Causal mask: no position attends to a later one.
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

    /// The mean loss over the characters that are to be learned.
    pub fn loss(&self, batch: &Batch) -> Result<Tensor> {
        let likely = log_softmax(&self.forward(&batch.tokens)?, D::Minus1)?;
        let chosen = likely.gather(&batch.next.unsqueeze(1)?, 1)?.squeeze(1)?;
        Ok(((chosen * &batch.counts)?.sum_all()? / -batch.counts.sum_all()?.to_scalar::<f32>()?.max(1.0) as f64)?)
    }

    /// Continues a text up to the end of the line, always with the most likely character.
    pub fn answer(&self, text: &str, max_length: usize) -> Result<String> {
        let (mut tokens, mut answer) = (encode(text), String::new());
        while answer.len() < max_length {
            let from = tokens.len().saturating_sub(CONTEXT);
            let seen = Tensor::new(&tokens[from..], &Device::Cpu)?.unsqueeze(0)?;
            let likely = self.forward(&seen)?;
            let next = likely.get(likely.dim(0)? - 1)?.argmax(0)?.to_scalar::<u32>()?;
            if decode(next) == '\n' {
                break;
            }
            answer.push(decode(next));
            tokens.push(next);
        }
        Ok(answer)
    }
}

fn rms_norm(x: &Tensor) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(x.broadcast_div(&(mean_square + 1e-5)?.sqrt()?)?)
}

/// Rows of characters, their next characters, and which of those are to be learned.
pub struct Batch {
    tokens: Tensor,
    next: Tensor,
    counts: Tensor,
}

impl Batch {
    /// Pads the rows to one length. The second element of each pair states which characters are to be learned.
    pub fn new(rows: &[(Vec<u32>, Vec<bool>)]) -> Result<Self> {
        let length = rows.iter().map(|(row, _)| row.len()).max().unwrap_or(2).max(2) - 1;
        let (mut tokens, mut next, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (row, learned) in rows {
            let at = |position: usize| row.get(position).copied().unwrap_or(0);
            for position in 0..length {
                tokens.push(at(position));
                next.push(at(position + 1));
                counts.push(if learned.get(position + 1) == Some(&true) { 1_f32 } else { 0.0 });
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
