//! Converts an order to the API: its parameters, and the body that creates a job.

use serde_json::{Map, Value, json};

use crate::{
    kernel::failure::Failure,
    training::trainers::{Method, Order, Parameters, trouble::refused_failure},
};

/// The fewest samples that the API accepts.
const FEWEST_SAMPLES: u64 = 10;
const MOST_EPOCHS: i64 = 50;
const MOST_BATCH: i64 = 256;
/// The longest suffix of a model name.
const LONGEST_SUFFIX: usize = 64;

/// Parameters of a method that `extra` may set.
const TUNABLE: [&str; 1] = ["learning_rate_multiplier"];
/// Fields that `extra` may not set.
const RESERVED: [&str; 6] = ["model", "training_file", "validation_file", "method", "metadata", "hyperparameters"];
/// Keys of `extra` that ioc itself reads.
pub(super) const MODEL_PROVIDER: &str = "model_provider";

/// Rejects what the API cannot express, instead of training with something else.
pub(super) fn check_parameters(parameters: &Parameters) -> Result<(), Failure> {
    let usual = Parameters::default();
    let refused =
        |why: &str| Err(refused_failure("PARAMETERS", format!("The provider openai does not support this: {why}")));
    let lora = |p: &Parameters| (p.lora_rank, p.lora_alpha, p.target_modules.clone());
    if lora(parameters) != lora(&usual) {
        return refused("lora_rank, lora_alpha and target_modules are the provider's own; leave them out.");
    }
    #[expect(clippy::float_cmp, reason = "it is the default, or was given")]
    if parameters.learning_rate != usual.learning_rate {
        return refused("learning_rate is relative there; leave it out, or set extra.learning_rate_multiplier.");
    }
    if parameters.method == Method::Dpo {
        return refused("dpo needs pairs of answers, and a dataset has none; train with sft.");
    }
    if parameters.epochs > MOST_EPOCHS || parameters.batch_size > MOST_BATCH {
        return refused("epochs are at most 50, and batch_size at most 256.");
    }
    if parameters.seed.is_some_and(|seed| !(0..=i64::from(i32::MAX)).contains(&seed)) {
        return refused("seed is 0 to 2147483647.");
    }
    match RESERVED.iter().find(|name| parameters.extra.contains_key(**name)) {
        Some(name) => refused(&format!("extra.{name} is set by the job itself.")),
        None => Ok(()),
    }
}

pub(super) fn check_samples(samples: u64) -> Result<(), Failure> {
    if samples >= FEWEST_SAMPLES {
        return Ok(());
    }
    let message =
        format!("The provider openai trains with at least {FEWEST_SAMPLES} samples; the dataset has {samples}.");
    Err(refused_failure("TOO_FEW_SAMPLES", message))
}

/// The name of the training file of an order, by which the file and its job are found again.
pub(super) fn file_name(order: &Order, side: &str) -> String {
    format!("ioc-{}-{}-{side}.jsonl", order.job_id, order.attempt)
}

/// The metadata that identifies the job of an order.
pub(super) fn job_metadata(order: &Order) -> Map<String, Value> {
    let pairs = [("ioc_job", order.job_id.to_string()), ("ioc_attempt", order.attempt.to_string())];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}

/// The body that creates the job.
pub(super) fn request_body(order: &Order, training_file: &str, validation_file: Option<&str>) -> Value {
    let parameters = &order.parameters;
    let mut tuned = json!({"n_epochs": parameters.epochs, "batch_size": parameters.batch_size});
    let mut body = Value::Object(Map::new());
    for (name, value) in &parameters.extra {
        if TUNABLE.contains(&name.as_str()) {
            tuned[name] = value.clone();
        } else if name != MODEL_PROVIDER {
            body[name] = value.clone();
        }
    }
    body["model"] = json!(order.base_model);
    body["training_file"] = json!(training_file);
    body["method"] = json!({"type": "supervised", "supervised": {"hyperparameters": tuned}});
    body["metadata"] = Value::Object(job_metadata(order));
    if let Some(file) = validation_file {
        body["validation_file"] = json!(file);
    }
    if let Some(seed) = parameters.seed {
        body["seed"] = json!(seed);
    }
    if body.get("suffix").is_none() {
        body["suffix"] = json!(model_suffix(&order.target_model_name));
    }
    body
}

fn model_suffix(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    name.chars().map(kept).take(LONGEST_SUFFIX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Parameters)) -> Result<(), Failure> {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        check_parameters(&parameters)
    }

    #[test]
    fn a_parameter_that_the_api_does_not_support_is_refused_with_a_remedy() {
        assert!(with(|_| {}).is_ok());
        assert!(with(|p| (p.epochs, p.batch_size, p.seed) = (50, 256, Some(7))).is_ok());
        assert!(with(|p| p.epochs = 51).is_err());
        assert!(with(|p| p.lora_rank = 9).is_err());
        assert!(with(|p| p.method = Method::Dpo).is_err());
        assert!(with(|p| p.seed = Some(-1)).is_err());
        assert!(with(|p| p.learning_rate = 1e-4).unwrap_err().message.contains("learning_rate_multiplier"));
        assert!(with(|p| _ = p.extra.insert("model".to_owned(), json!("other"))).is_err());
    }

    #[test]
    fn a_suffix_holds_what_a_suffix_may() {
        assert_eq!(model_suffix("my model/v1"), "my-model-v1");
        assert_eq!(model_suffix(&"x".repeat(200)).len(), LONGEST_SUFFIX);
    }
}
