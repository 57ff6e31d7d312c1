//! `GET /models`, `/models/{name}`, `/models/{name}/versions`: pages, filters, one of each.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{archive, put, version};

fn texts(page: &Value, field: &str) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn models_are_listed_by_name_in_pages_and_filtered() {
    let world = TestApp::full().await;
    let (lead, viewer) = (world.caller(Role::Lead), world.caller(Role::Viewer));
    for name in ["planner", "coder", "reviewer"] {
        version(&lead, name, "1.0.0").await;
    }
    version(&lead, "coder", "1.10.0").await;
    version(&lead, "coder", "1.9.0").await;
    put(&lead, "coder", "champion", "1.9.0").await.expect(200);
    let other = json!({"name": "planner", "base_model": "mistral/small"});
    lead.post("/api/v1/models", other).await.expect(201);
    let first = viewer.get("/api/v1/models?limit=2").await.expect(200);
    assert_eq!(texts(&first, "name"), ["coder", "planner"]);
    let coder = &first["items"][0];
    assert_eq!((&coder["newest_version"], &coder["versions"]), (&json!("1.10.0"), &json!(3)));
    assert_eq!((&coder["aliases"][0]["alias"], &coder["aliases"][0]["version"]), (&json!("champion"), &json!("1.9.0")));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = viewer.get(&format!("/api/v1/models?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((texts(&second, "name"), &second["next_cursor"]), (vec!["reviewer".to_owned()], &Value::Null));
    assert_eq!(texts(&viewer.get("/api/v1/models?q=CODE").await.expect(200), "name"), ["coder"]);
    let narrowed = viewer.get("/api/v1/models?base_model=mistral/small").await.expect(200);
    assert_eq!(texts(&narrowed, "name"), ["planner"]);
    assert_eq!(viewer.get("/api/v1/models/coder").await.expect(200), *coder);
}

#[tokio::test]
async fn versions_are_listed_newest_first_and_found_by_number() {
    let world = TestApp::full().await;
    let (lead, viewer) = (world.caller(Role::Lead), world.caller(Role::Viewer));
    for number in ["1.0.0", "2.0.0", "1.5.0"] {
        version(&lead, "coder", number).await;
    }
    archive(&lead, "coder", "2.0.0", true).await.expect(200);
    let path = "/api/v1/models/coder/versions";
    let first = viewer.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(texts(&first, "version"), ["1.5.0"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = viewer.get(&format!("{path}?cursor={cursor}")).await.expect(200);
    assert_eq!(texts(&rest, "version"), ["2.0.0", "1.0.0"]);
    assert_eq!(texts(&viewer.get(&format!("{path}?archived=true")).await.expect(200), "version"), ["2.0.0"]);
    assert_eq!(texts(&viewer.get(&format!("{path}?archived=false")).await.expect(200), "version"), ["1.5.0", "1.0.0"]);
    assert_eq!(viewer.get(&format!("{path}/1.5.0")).await.expect(200), first["items"][0]);
    viewer.get(&format!("{path}/9.9.9")).await.problem(404, "MODEL_VERSION_NOT_FOUND");
    viewer.get(&format!("{path}/latest")).await.problem(422, "VALIDATION_FAILED");
    viewer.get("/api/v1/models/nobody/versions").await.problem(404, "MODEL_NOT_FOUND");
    viewer.get("/api/v1/models/nobody/versions/1.0.0").await.problem(404, "MODEL_NOT_FOUND");
}
