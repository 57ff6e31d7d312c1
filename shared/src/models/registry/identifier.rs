//! The identifier of the model that a session runs on: `provider/model`, or a reference into the registry.

use super::{
    Name, Reference,
    name::{EXPERIMENT, REGISTRY},
};

pub fn model_identifier(text: String) -> Result<String, String> {
    if text.starts_with(REGISTRY) {
        return text.parse::<Reference>().map(|_| text);
    }
    if let Some(name) = text.strip_prefix(EXPERIMENT) {
        return name.parse::<Name>().map(|_| text);
    }
    let part = |text: &str, also: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b) || also.contains(&b))
    };
    // Fine-tuned models and tagged ones have colons in their names.
    let good = text.len() <= 200
        && text
            .split_once('/')
            .is_some_and(|(provider, model)| part(provider, b"") && model.split('/').all(|one| part(one, b":")));
    if good {
        Ok(text)
    } else {
        Err("must be provider/model, each part of A-Z a-z 0-9 _ . - and, in the model, of colons".to_owned())
    }
}
