//! Environments: created, changed by versions, deleted, and worked in.

mod create;
mod delete;
mod patch;
mod sessions;
mod task;

use harness::Caller;
use serde_json::{Value, json};

pub(crate) const PATH: &str = "/api/v1/environments";

/// Creates an environment with these fields besides its name; answers its id.
pub(crate) async fn create_environment(lead: &Caller, name: &str, fields: Value) -> String {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap_or_default());
    lead.post(PATH, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// The fields that a refusal names.
fn refused_fields(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().expect("errors");
    errors.iter().map(|one| one["field"].as_str().unwrap().to_owned()).collect()
}
