//! Masks the secrets in a text, and in the texts, the names and the fields of JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    declared::is_field_secret,
    mask::{Finding, MASK, mask_findings},
    names::{SecretName, secret_name},
    search::find_secrets,
};

/// No shorter text contains a secret.
const SHORTEST: usize = 8;

/// A mask may make a secret beside it recognizable, so a text with secrets is searched again, at most this often.
const MAX_PASSES: usize = 4;

/// Fields that name what a field beside them contains, and those fields.
const NAMING_FIELDS: [&str; 7] = ["name", "key", "header", "variable", "env", "field", "param"];
const VALUE_FIELDS: [&str; 2] = ["value", "val"];

/// The text without secrets.
pub(super) fn redact_string<'a>(text: &'a str, note: &mut dyn FnMut(&str)) -> Cow<'a, str> {
    let mut clean = Cow::Borrowed(text);
    for _ in 0..MAX_PASSES {
        if clean.len() < SHORTEST {
            break;
        }
        let findings = find_secrets(&clean);
        if findings.is_empty() {
            break;
        }
        for finding in &findings {
            note(finding.kind);
        }
        clean = Cow::Owned(mask_findings(&clean, &findings));
    }
    clean
}

/// Returns the value without secrets, by the names of fields and by shapes.
pub fn mask_secrets(mut value: Value) -> Value {
    mask_in_place(&mut value, &mut |_| {});
    value
}

/// Like [`mask_secrets`], and reports each redacted secret.
pub fn mask_in_place(value: &mut Value, note: &mut dyn FnMut(&str)) {
    match value {
        Value::String(found) => {
            if let Cow::Owned(clean) = redact_string(found, note) {
                *found = clean;
            }
        }
        Value::Array(values) => {
            mask_arguments(values, note);
            for value in values {
                mask_in_place(value, note);
            }
        }
        Value::Object(fields) => mask_fields(fields, note),
        _ => {}
    }
}

/// The arguments of a command, one by one: what an argument is may depend on those before it.
fn mask_arguments(values: &mut [Value], note: &mut dyn FnMut(&str)) {
    let arguments: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
    let Some(arguments) = arguments.filter(|arguments| arguments.len() > 1) else { return };
    let line = arguments.join(" ");
    let findings: Vec<_> = find_secrets(&line).into_iter().filter(|finding| finding.kind == "named_secret").collect();
    let mut start = 0;
    let mut next = findings.iter().peekable();
    for value in values {
        let Value::String(argument) = value else { return };
        let end = start + argument.len();
        while next.next_if(|finding| finding.span.end <= start).is_some() {}
        if let Some(finding) = next.next_if(|finding| finding.span.start >= start && finding.span.end <= end) {
            let span = finding.span.start - start..finding.span.end - start;
            note(finding.kind);
            let clean = mask_findings(argument, &[Finding { span, ..finding.clone() }]);
            *argument = clean;
        }
        start = end + 1;
    }
}

fn mask_fields(fields: &mut Map<String, Value>, note: &mut dyn FnMut(&str)) {
    let named = NAMING_FIELDS.iter().find_map(|field| secret_name(fields.get(*field)?.as_str()?.as_bytes()));
    for (field, value) in fields.iter_mut() {
        let is_named = VALUE_FIELDS.contains(&field.as_str()) || NAMING_FIELDS.contains(&field.as_str());
        let name = match named {
            Some(_) if NAMING_FIELDS.contains(&field.as_str()) => None,
            Some(named) if is_named => Some(named),
            _ => secret_name(field.as_bytes()),
        };
        if name.is_some_and(|name| is_secret_value(value, name)) {
            note("named_secret");
            *value = Value::String(MASK.to_owned());
        } else {
            mask_in_place(value, note);
        }
    }
    if fields.keys().any(|name| matches!(redact_string(name, &mut |_| {}), Cow::Owned(_))) {
        *fields = mask_names(std::mem::take(fields), note);
    }
}

/// Secrets that are the names of fields. Fields must not get the same name, so a number follows.
fn mask_names(fields: Map<String, Value>, note: &mut dyn FnMut(&str)) -> Map<String, Value> {
    let mut masked = Map::new();
    let mut count = 1;
    for (name, value) in fields {
        let mut clean = redact_string(&name, note).into_owned();
        while masked.contains_key(&clean) {
            count += 1;
            clean = format!("{clean} ({count})");
        }
        masked.insert(clean, value);
    }
    masked
}

fn is_secret_value(value: &Value, name: SecretName) -> bool {
    match value {
        Value::String(text) => text != MASK && is_field_secret(text, name),
        Value::Object(_) | Value::Array(_) => name != SecretName::Tokens || !is_quantity(value),
        Value::Number(number) => name == SecretName::Password && number.as_u64().is_some_and(|number| number >= 1000),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Numbers of tokens, such as `{"input": 5, "cache": {"read": 1}}`.
fn is_quantity(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().all(is_quantity),
        Value::Array(values) => values.iter().all(is_quantity),
        other => other.is_number(),
    }
}
