//! Limits of free-form JSON from callers.

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
