//! Datasets: made of good sessions, tried out, shown, and true about where they come from.

mod canary;
mod consent;
mod content;
mod curate;
mod deletion;
mod preview;
mod repetition;

use harness::{TestApp, samples::prose, superuser::Superuser};
use serde_json::{Value, json};
use shared::identity::auth::Role;

const DATASETS: &str = "/api/v1/fine-tuning/datasets";

/// An id that nothing has.
const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// A test app whose tenant consents to training, with so many usable sessions, oldest first.
async fn with_samples(count: usize) -> (TestApp, Superuser, Vec<String>) {
    let world = TestApp::full().await;
    world.agree().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(caller.answered(&owner, json!({"initial_prompt": format!("Do {number}.")}), &prose(number)).await);
    }
    (world, owner, ids)
}

/// The lines of one side of a dataset.
async fn lines(world: &TestApp, id: &str, split: &str) -> Vec<Value> {
    let reply = world.caller(Role::Viewer).get(&format!("{DATASETS}/{id}/content?split={split}")).await;
    assert_eq!(reply.status, 200);
    let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The sessions that lines say they are from.
fn sources(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| line["metadata"]["session_id"].as_str().unwrap().to_owned()).collect()
}
