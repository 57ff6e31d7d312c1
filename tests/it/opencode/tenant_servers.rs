//! The OpenCode server of a tenant: registered by a lead, and given the tenant's sessions.

use harness::{Options, TestApp};
use local::paths;
use serde_json::json;
use shared::{app::Settings, identity::auth::Role};

use super::{Agents, script, write};

#[tokio::test]
async fn a_session_runs_on_the_server_that_its_tenant_registered_with_its_own_password() {
    let server = &Agents::shared().server;
    let place = server.url().trim_start_matches("http://").to_owned();
    let folder = paths::temporary("opencode-of-tenants").unwrap().canonicalize().unwrap();
    let settings = Settings { outbound: place.parse().unwrap(), ..Options::default().settings };
    let world =
        TestApp::with(Options { settings, workspaces: folder.display().to_string(), ..Options::default() }).await;
    let (lead, caller) = (world.caller(Role::Lead), world.caller(Role::Member));
    let mut new = json!({"name": "ours", "agent_type": "implementer", "kind": "opencode",
        "capabilities": ["code_generation"], "endpoint_url": server.url(), "endpoint_secret": "a wrong one"});
    let wrong = lead.post("/api/v1/agents", new.clone()).await.expect(201);
    new["name"] = json!("right");
    new["endpoint_secret"] = json!(server.password());
    lead.post("/api/v1/agents", new).await.expect(201);
    let start = |agent: &str| {
        caller.start_session(json!({
            "initial_prompt": script(&json!([write("one.txt", "1"), {"text": "ok"}])),
            "model_identifier": "stub/stub-1", "agent_config": {"agent": agent},
        }))
    };
    let (refused, done) = (start("ours").await, start("right").await);
    let session = caller.reaches(&refused, &["failed"]).await;
    assert_eq!(session["outcome"]["error"]["category"], "auth", "{session}");
    let session = caller.reaches(&done, &["completed"]).await;
    assert_eq!(session["agent"]["name"], "right");
    let diff = caller.get(&format!("/sessions/{done}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "one.txt", "{diff}");
    // Its place changed to one that nobody may call, it is not called any more.
    let id = wrong["id"].as_str().unwrap();
    world
        .superuser()
        .await
        .run(&format!("update agents set endpoint_url = 'http://127.0.0.1:9/' where id = '{id}'"))
        .await;
    let session = caller.reaches(&start("ours").await, &["failed"]).await;
    assert_eq!(session["outcome"]["error"]["code"], "AGENT_SETTINGS", "{session}");
    std::fs::remove_dir_all(folder).unwrap();
}
