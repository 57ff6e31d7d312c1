//! Messages as JSON of protobuf: a reader takes the fields in camel case, and in snake case as the schema spells them.
//! Pure.

use ::a2a::A2AError;
use serde_json::{Map, Value};

use super::field_error::invalid_field;

/// The fields that hold free-form values, whose keys are not ours to change.
const FREE_FORM: [&str; 2] = ["metadata", "data"];

/// The same message with all of its fields in lowerCamelCase. A null means that a field is absent.
pub fn normalize(value: Value) -> Result<Value, A2AError> {
    match value {
        Value::Object(fields) => {
            let mut named = Map::with_capacity(fields.len());
            for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
                let name = lower_camel_case(&name);
                let value = if FREE_FORM.contains(&name.as_str()) { value } else { normalize(value)? };
                if named.insert(name.clone(), value).is_some() {
                    return Err(invalid_field(&name, "was sent twice, in both of its spellings"));
                }
            }
            Ok(Value::Object(named))
        }
        Value::Array(values) => values.into_iter().map(normalize).collect::<Result<_, _>>().map(Value::Array),
        other => Ok(other),
    }
}

fn lower_camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_of_a_field_are_read_and_free_form_values_stay_as_they_are() {
        let sent = json!({"message": {"message_id": "m", "taskId": null, "parts": [{"data": {"a_b": 1}, "media_type": "x"}],
            "metadata": {"ioc": {"agent_config": {}}}}});
        let read = json!({"message": {"messageId": "m", "parts": [{"data": {"a_b": 1}, "mediaType": "x"}],
            "metadata": {"ioc": {"agent_config": {}}}}});
        assert_eq!(normalize(sent).unwrap(), read);
        normalize(json!({"message_id": "a", "messageId": "a"})).unwrap_err();
    }

    proptest! {
        #[test]
        fn names_in_camel_case_stay_as_they_are(name in "[a-z][a-zA-Z0-9]{0,20}") {
            prop_assert_eq!(lower_camel_case(&name), name);
        }
    }
}
