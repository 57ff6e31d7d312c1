//! The hyper-parameters of a training, parsed once. The defaults and limits are those of docs/fine-tuning.md.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::kernel::{error::ValidationErrors, validation::small_json};

/// The training method.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Supervised: to answer as the samples do.
    #[default]
    Sft,
    /// Direct preference optimisation, where the provider makes the pairs that it learns from: a dataset has none.
    Dpo,
}

/// The hyperparameters of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// The number of passes over the dataset, 1 to 100.
    pub epochs: i64,
    /// The learning rate, above 0 and at most 1.
    pub learning_rate: f64,
    /// The number of samples per step, 1 to 1024.
    pub batch_size: i64,
    /// The rank of the low-rank adapter, 1 to 512.
    pub lora_rank: i64,
    /// The scale of the low-rank adapter, 1 to 1024.
    pub lora_alpha: i64,
    /// The modules to be adapted, at least one.
    pub target_modules: Vec<String>,
    /// The seed of the random generator. Default: a choice of the trainer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// The training method.
    pub method: Method,
    /// Parameters that only this provider knows, at most 16 KiB as JSON.
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            epochs: 3,
            learning_rate: 5e-5,
            batch_size: 4,
            lora_rank: 8,
            lora_alpha: 16,
            target_modules: vec!["q_proj".to_owned(), "v_proj".to_owned()],
            seed: None,
            method: Method::Sft,
            extra: Map::new(),
        }
    }
}

impl Parameters {
    /// Adds every error to `refused`, under `parameters.<field>`.
    pub fn check(&self, refused: &mut ValidationErrors) {
        for (field, value, most) in [
            ("parameters.epochs", self.epochs, 100),
            ("parameters.batch_size", self.batch_size, 1024),
            ("parameters.lora_rank", self.lora_rank, 512),
            ("parameters.lora_alpha", self.lora_alpha, 1024),
        ] {
            if !(1..=most).contains(&value) {
                refused.add(field, format!("must be 1 to {most}"));
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            refused.add("parameters.learning_rate", "must be above 0 and at most 1");
        }
        let fits = |name: &String| {
            (1..=100).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'*'))
        };
        if !(1..=32).contains(&self.target_modules.len()) || !self.target_modules.iter().all(fits) {
            refused.add("parameters.target_modules", "must be 1 to 32 names of modules");
        }
        if let Err(why) = small_json(&self.extra) {
            refused.add("parameters.extra", why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut Parameters)) -> bool {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        let mut refused = ValidationErrors::default();
        parameters.check(&mut refused);
        refused.into_result().is_err()
    }

    #[test]
    fn the_defaults_are_good_and_each_limit_holds() {
        assert!(!faults(|_| {}));
        assert!(!faults(|p| (p.epochs, p.learning_rate, p.batch_size) = (100, 1.0, 1024)));
        assert!(faults(|p| p.epochs = 0));
        assert!(faults(|p| p.epochs = 101));
        assert!(faults(|p| p.learning_rate = 0.0));
        assert!(faults(|p| p.learning_rate = 1.01));
        assert!(faults(|p| p.learning_rate = f64::NAN));
        assert!(faults(|p| p.batch_size = 1025));
        assert!(faults(|p| p.lora_rank = 513));
        assert!(faults(|p| p.lora_alpha = 0));
        assert!(faults(|p| p.target_modules.clear()));
        assert!(faults(|p| p.target_modules = vec!["a b".to_owned()]));
    }
}
