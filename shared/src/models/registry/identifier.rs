//! The identifier of the model that a session runs on: `provider/model`, or a reference into the registry.

use crate::kernel::validation::parse_provider_model;

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
    parse_provider_model(text)
}
