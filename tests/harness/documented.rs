//! Whether the OpenAPI document describes an answer. Every request of a test is checked, so the whole suite proves that
//! no operation answers with a status that is missing from the document.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::http::StatusCode;

use crate::openapi::{Operation, operations};

/// The operations by method.
static OPERATIONS: LazyLock<BTreeMap<String, Vec<Operation>>> = LazyLock::new(|| {
    let mut by_method: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for operation in operations() {
        by_method.entry(operation.method.clone()).or_default().push(operation);
    }
    by_method
});

/// How many segments of a path are those of a template; `None` if the template does not match.
fn matching_segments(template: &str, path: &str) -> Option<usize> {
    let (expected, actual): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if expected.len() != actual.len() {
        return None;
    }
    let mut literals = 0;
    for (expected, actual) in expected.into_iter().zip(actual) {
        match expected.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((_, "")) if !actual.is_empty() && !actual.contains(':') => {}
            Some((_, suffix)) if !suffix.is_empty() && actual.ends_with(suffix) => literals += 1,
            None if expected == actual => literals += 1,
            _ => return None,
        }
    }
    Some(literals)
}

/// The operation that answers a request, if the document has one.
fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    let path = path.split('?').next().unwrap_or(path);
    let fitting = OPERATIONS.get(method)?.iter();
    let fitting = fitting.filter_map(|one| Some((matching_segments(&one.path, path)?, one)));
    fitting.max_by_key(|(literals, _)| *literals).map(|(_, one)| one)
}

/// Fails if an operation of the document gives an answer that the document does not describe. 405 is the answer of a
/// path without an operation for the method.
pub(crate) fn assert_documented(method: &str, path: &str, status: StatusCode) {
    if status == StatusCode::METHOD_NOT_ALLOWED {
        return;
    }
    if let Some(operation) = operation(method, path) {
        let responses = &operation.described["responses"];
        assert!(!responses[status.as_str()].is_null(), "the document has no answer {status} of {method} {path}");
    }
}
