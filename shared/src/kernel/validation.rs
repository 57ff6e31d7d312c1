//! Limits of free-form JSON from callers, names of variables, and names of models.

use serde_json::{Map, Value};

/// The deepest nesting of stored JSON: it is embedded in other JSON, and parsers limit the depth.
pub const MAX_JSON_DEPTH: usize = 32;

/// Refuses more than 16 KiB as JSON, deep nesting, and NUL characters, which Postgres cannot store.
pub fn small_json(map: &Map<String, Value>) -> Result<(), String> {
    if map.values().any(|value| is_deeper(value, MAX_JSON_DEPTH - 1)) {
        return Err(format!("must be at most {MAX_JSON_DEPTH} levels deep"));
    }
    let text = serde_json::to_string(map).map_err(|error| error.to_string())?;
    if text.len() > 16 * 1024 {
        return Err("must have at most 16 KiB as JSON".to_owned());
    }
    if map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
        return Err("must not hold NUL characters".to_owned());
    }
    Ok(())
}

/// Whether a value is nested deeper than `most` levels.
pub fn is_deeper(value: &Value, most: usize) -> bool {
    match value {
        Value::Array(values) => most == 0 || values.iter().any(|value| is_deeper(value, most - 1)),
        Value::Object(map) => most == 0 || map.values().any(|value| is_deeper(value, most - 1)),
        _ => false,
    }
}

/// Whether any text in a value contains a NUL.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Accepts the name of a model at its provider: `provider/model`, at most 200 characters.
pub fn parse_provider_model(text: String) -> Result<String, String> {
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

/// Names that the machinery around an agent sets itself.
const RESERVED_VARIABLES: [&str; 2] = ["HOME", "PATH"];

/// The prefix of the variables that the product itself sets.
const RESERVED_PREFIX: &str = "IOC_";

/// Accepts the name of a variable of an environment: letters, digits and underscores, the first no digit, at most 100.
pub fn parse_variable_name(name: &str) -> Result<String, String> {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let fits = (1..=100).contains(&name.len())
        && name.bytes().next().is_some_and(is_first)
        && name.bytes().all(|byte| is_first(byte) || byte.is_ascii_digit());
    if !fits {
        return Err("must have 1 to 100 of the characters A-Z a-z 0-9 _, the first no digit".to_owned());
    }
    if RESERVED_VARIABLES.contains(&name) || name.starts_with(RESERVED_PREFIX) {
        return Err("must be neither HOME nor PATH, nor begin with IOC_".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_name_that_a_shell_can_use_and_the_product_does_not() {
        for good in ["A", "_", "npm_token", "TOKEN_2", &"x".repeat(100)] {
            assert_eq!(parse_variable_name(good), Ok(good.to_owned()));
        }
        for wrong in ["", "2A", "A-B", "A B", "A=B", "Ä", "HOME", "PATH", "IOC_KEY", "A\0", &"x".repeat(101)] {
            assert!(parse_variable_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
