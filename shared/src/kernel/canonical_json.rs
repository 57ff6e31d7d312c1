//! One text for equal JSON: for hashes that must not depend on the order of fields.

use serde::Serialize;

/// The JSON of a value with the fields of every object in alphabetical order.
pub fn to_canonical_json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_str};

    use super::*;

    #[test]
    fn equal_values_have_one_text_whatever_the_order_of_their_fields() {
        let read = |text: &str| from_str::<Value>(text).unwrap();
        let (one, other) = (read(r#"{"b": [{"d": 1, "c": 2}], "a": 3}"#), read(r#"{"a": 3, "b": [{"c": 2, "d": 1}]}"#));
        assert_eq!(to_canonical_json(&one).unwrap(), r#"{"a":3,"b":[{"c":2,"d":1}]}"#);
        assert_eq!(to_canonical_json(&one).unwrap(), to_canonical_json(&other).unwrap());
        // The order is kept everywhere else.
        assert_ne!(one.to_string(), other.to_string());
    }
}
