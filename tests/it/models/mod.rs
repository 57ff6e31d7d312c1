//! The registry of models: a file per verb, what jobs register, and what sessions run on.

mod aliases;
mod base;
mod compare;
mod create;
mod dispatch;
mod lineage;
mod list;
mod patch;
mod register;

use harness::{Caller, Reply, TestApp};
use serde_json::{Value, json};
use shared::{
    kernel::{
        actor::{Actor, By},
        id::{DatasetId, TrainingJobId},
    },
    models::registry::{ModelVersionRegistration, RegisteredVersion, metrics::Metrics, service},
};

/// Registers a version by hand; its model identifier follows from its number.
pub(crate) async fn version(lead: &Caller, name: &str, version: &str) -> Value {
    let identifier = format!("served/{name}-{version}");
    let body = json!({"name": name, "version": version, "base_model": "meta/llama", "model_identifier": identifier});
    lead.post("/api/v1/models", body).await.expect(201)
}

/// Asks for an alias to point at a version.
pub(crate) async fn put(lead: &Caller, name: &str, alias: &str, version: &str) -> Reply {
    let body = json!({"version": version}).to_string().into_bytes();
    lead.send("PUT", &format!("/api/v1/models/{name}/aliases/{alias}"), Some(body)).await
}

async fn archive(lead: &Caller, name: &str, version: &str, archived: bool) -> Reply {
    lead.patch(&format!("/api/v1/models/{name}/versions/{version}"), json!({"archived": archived})).await
}

/// The version that a job registers.
fn made_of(job: TrainingJobId, base_model: &str, data: char, recipe: &str) -> ModelVersionRegistration {
    ModelVersionRegistration {
        name: "reviewer".parse().unwrap(),
        version: None,
        base_model: base_model.to_owned(),
        job_id: Some(job),
        dataset_id: Some(DatasetId::new()),
        dataset_sha256: Some(data.to_string().repeat(64)),
        recipe_hash: Some(recipe.to_owned()),
        parameters: json!({"epochs": 3}).as_object().cloned().unwrap(),
        provider: Some("simulated".to_owned()),
        model_identifier: Some("simulated/reviewer".to_owned()),
        artifact: Some("somewhere".to_owned()),
        metrics: Metrics { final_loss: Some(0.5), ..Metrics::default() },
        cost_micros: Some(1_500_000),
        notes: None,
    }
}

/// Registers as the last step of a job does, in a transaction of its own.
async fn registered(world: &TestApp, new: &ModelVersionRegistration) -> RegisteredVersion {
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    let by = By::from(Actor::system_part("trainer"));
    let registered = service::register_version(&mut tx, world.tenant.id, by, world.app.clock.now(), new).await.unwrap();
    tx.commit().await.unwrap();
    registered
}
