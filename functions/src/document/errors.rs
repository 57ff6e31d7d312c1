//! The errors that an operation may answer. They follow from its credential, its parameters and its body.

use serde_json::{Value, json};

use super::audience::Audience;

/// The status, the name of the component and the description of each error.
const ERRORS: [(&str, &str, &str); 15] = [
    ("400", "BadRequest", "The request is malformed, or `X-Tenant-ID` is neither an id nor a slug."),
    ("401", "Unauthenticated", "The credential is missing, invalid or expired."),
    ("403", "Forbidden", "The role or the scopes of the credential do not allow this, or its tenant is deactivated."),
    ("404", "NotFound", "The object does not exist or belongs to another tenant, or `X-Tenant-ID` names no tenant."),
    ("408", "RequestTimeout", "The body did not arrive in time."),
    ("409", "Conflict", "The state of the object does not allow this, or a request with the same key is in progress."),
    ("412", "PreconditionFailed", "The object does not have the version that `If-Match` names."),
    ("413", "PayloadTooLarge", "The body is larger than 1 MiB."),
    ("414", "UriTooLong", "The path with its query is longer than 8 KiB."),
    ("415", "UnsupportedMediaType", "The body is not declared as JSON."),
    ("422", "ValidationFailed", "A field, a parameter or a header has an invalid value."),
    ("429", "TooManyRequests", "A rate limit or a quota of the tenant is reached."),
    ("431", "HeadersTooLarge", "The headers are larger than 32 KiB."),
    ("500", "InternalError", "The server failed."),
    ("503", "Unavailable", "A service that the operation needs does not answer, or the request took too long."),
];

/// The statuses that A2A answers with an error of its own instead of 415 and 422.
const A2A_PREFIX: &str = "A2a";

/// Adds the errors that the operation may answer, unless it describes them itself.
pub(super) fn add_responses(operation: &mut Value, audience: Audience, is_a2a: bool, takes_key: bool) {
    let statuses: Vec<&str> = ERRORS
        .iter()
        .map(|(status, ..)| *status)
        .filter(|status| may_answer(status, operation, audience, is_a2a, takes_key))
        .collect();
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, name, _) in ERRORS {
        let prefix = if is_a2a { A2A_PREFIX } else { "" };
        let reference = format!("#/components/responses/{prefix}{name}");
        match responses.get_mut(status) {
            // An error with a description of its own has the same form.
            Some(own) if own.get("content").is_none() => own["content"] = content(is_a2a),
            None if statuses.contains(&status) => {
                responses.insert(status.to_owned(), json!({"$ref": reference}));
            }
            _ => {}
        }
    }
}

fn may_answer(status: &str, operation: &Value, audience: Audience, is_a2a: bool, takes_key: bool) -> bool {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    let has_named = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
    let has_body = operation.get("requestBody").is_some();
    let is_public = matches!(audience, Audience::Public | Audience::Probes);
    match status {
        "400" => !is_public || has_body,
        "401" | "403" | "429" | "500" | "503" => audience != Audience::Probes,
        "404" => audience == Audience::Callers || (!is_public && has("path")),
        "408" | "413" => has_body || takes_key,
        // Reports of a lost lease and a second, different result conflict.
        "409" => takes_key || has_named("task_id"),
        "412" => has_named("If-Match"),
        "415" => has_body && !is_a2a,
        "422" => !is_a2a && (has_body || takes_key || has("query") || has("path")) && !is_public,
        "414" | "431" => true,
        _ => false,
    }
}

/// Adds the components that the responses refer to.
pub(super) fn add_components(document: &mut Value) {
    let uses_a2a = document["components"]["schemas"].get("A2aError").is_some();
    for (status, name, description) in ERRORS {
        let mut response = json!({"description": description, "content": content(false)});
        if status == "429" {
            response["headers"] = rate_limit_headers();
        }
        document["components"]["responses"][name] = response;
        if uses_a2a && !["409", "412", "415", "422"].contains(&status) {
            let response = json!({"description": description, "content": content(true)});
            document["components"]["responses"][format!("{A2A_PREFIX}{name}")] = response;
        }
    }
}

fn content(is_a2a: bool) -> Value {
    let (media_type, schema) =
        if is_a2a { ("application/json", "A2aError") } else { ("application/problem+json", "Problem") };
    json!({media_type: {"schema": {"$ref": format!("#/components/schemas/{schema}")}}})
}

fn rate_limit_headers() -> Value {
    json!({
        "Retry-After": {"description": "Seconds until the next request is allowed.", "schema": {"type": "integer"}},
        "RateLimit": {"description": "What is left of each limit, and the seconds until it is full.", "schema": {"type": "string"}},
        "RateLimit-Policy": {"description": "Each limit and its window in seconds.", "schema": {"type": "string"}},
    })
}
