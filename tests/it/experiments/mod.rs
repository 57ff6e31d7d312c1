//! Experiments: made, started, what sessions run on, what came of it, and what follows from that.

mod create;
mod dispatch;
mod results;
mod verbs;

use harness::{Caller, superuser::Superuser};
use serde_json::{Value, json};

use crate::models::version;

const PATH: &str = "/api/v1/experiments";

/// A model with the versions 1.0.0 and 1.1.0, the first of them champion.
async fn two_versions(lead: &Caller) {
    for number in ["1.0.0", "1.1.0"] {
        version(lead, "coder", number).await;
    }
    crate::models::put(lead, "coder", "champion", "1.0.0").await.expect(200);
}

/// An experiment of the two versions on the alias champion, with these fields besides; answers its id.
async fn made(lead: &Caller, name: &str, fields: Value) -> String {
    let mut body = json!({
        "name": name,
        "target": "registry/coder@champion",
        "arms": [
            {"name": "control", "model": "registry/coder@champion"},
            {"name": "treatment", "model": "registry/coder@1.1.0"},
        ],
    });
    body.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap_or_default());
    lead.post(PATH, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn started(lead: &Caller, name: &str, fields: Value) -> String {
    let id = made(lead, name, fields).await;
    lead.act(&format!("{PATH}/{id}/start")).await.expect(200);
    id
}

/// Ends of so many trees on an arm, each a second after the other, of which so many were a success.
async fn ends(owner: &Superuser, id: &str, arm: &str, trees: i64, successes: i64) {
    let row = "e.tenant_id, e.id, r.root, r.root, ";
    owner
        .run(&format!(
            "create temp table r as select gen_random_uuid() as root, n from generate_series(1, {trees}) n;
             insert into experiment_assignments select {row} '{arm}', now() from experiments e, r where e.id = '{id}';
             insert into experiment_results
             select {row} '{arm}', case when (r.n * {successes}) / {trees} > ((r.n - 1) * {successes}) / {trees} then 1 else 0 end,
                 60000, 30000, 1000, now() + r.n * interval '1 second'
             from experiments e, r where e.id = '{id}';
             drop table r"
        ))
        .await;
}
