//! Every operation of the OpenAPI document, called by everybody who must not: refused as the table in the harness says,
//! and without a change to any row. An operation that the table does not know fails here.

use harness::{
    Caller, Tenant, TestApp,
    openapi::{Operation, guarded, of_agents, of_runners, operations},
};
use serde_json::{Value, json};
use shared::{
    identity::auth::{Role, key::generate_agent_token},
    kernel::encryption::Pepper,
};

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

async fn call(caller: &Caller, operation: &Operation, id: &str) -> harness::Reply {
    caller.send(&operation.method, &operation.path_of(id, UNKNOWN), operation.body()).await
}

#[tokio::test]
async fn only_operations_documented_as_public_answer_without_a_credential() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let before = owner.dump().await;
    for operation in guarded().into_iter().chain(of_agents()).chain(of_runners()) {
        call(&world.nobody(), &operation, UNKNOWN).await.problem(401, "UNAUTHENTICATED");
    }
    assert_eq!(owner.dump().await, before);
    let open: Vec<_> = operations().into_iter().filter(Operation::is_open).map(|one| one.path).collect();
    let a2a = ["/api/v1/a2a/push-notifications/{tenant}/{session}", "/api/v1/a2a/{tenant}/.well-known/agent-card.json"];
    assert_eq!(open, [&a2a[..], &["/api/v1/login", "/health", "/ready"]].concat());
}

#[tokio::test]
async fn a_role_below_the_required_one_is_refused_with_the_required_role() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let before = owner.dump().await;
    for operation in guarded() {
        let needed = operation.lowest_role();
        for role in Role::ALL.into_iter().filter(|role| *role < needed) {
            let problem = call(&world.caller(role), &operation, UNKNOWN).await.problem(403, "FORBIDDEN");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(role.name()) && detail.contains(needed.name()), "{problem}");
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn the_required_role_of_an_operation_is_enough() {
    let world = TestApp::full().await;
    for operation in guarded().into_iter().filter(|one| !one.is_refused_to_all()) {
        for role in Role::ALL.into_iter().filter(|role| *role >= operation.lowest_role()) {
            if operation.names_an_object() {
                call(&world.caller(role), &operation, UNKNOWN).await.problem(404, operation.not_found());
            } else if operation.reads() {
                let reply = call(&world.caller(role), &operation, UNKNOWN).await;
                assert!(reply.status.is_success(), "{} {}: {reply:?}", operation.method, operation.path);
            }
        }
    }
}

#[tokio::test]
async fn an_agents_token_reaches_no_operation_of_people() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let token = generate_agent_token(&Pepper(harness::PEPPER.as_bytes().to_vec()), "test");
    let (tenant, id, hash) = (world.tenant.id, token.id, hex::encode(&token.hash));
    owner
        .run(&format!(
            "insert into agents (id, tenant_id, name, kind, capacity, created_at, updated_at)
                 values ('{id}', '{tenant}', 'external', 'eap', 5, now(), now());
             insert into agent_tokens values ('{tenant}', '{id}', '{id}', 'test', decode('{hash}', 'hex'), null, now())"
        ))
        .await;
    let before = owner.dump().await;
    for header in ["authorization", "x-agent-token"] {
        let value = if header == "authorization" { format!("Bearer {}", token.text) } else { token.text.clone() };
        let caller = world.nobody().with(header, &value).with("x-tenant-id", &world.tenant.slug);
        for operation in guarded() {
            call(&caller, &operation, UNKNOWN).await.problem(403, "FORBIDDEN");
        }
    }
    assert_eq!(owner.dump().await, before);
    owner.run("update agent_tokens set expires_at = now() - interval '1 second'").await;
    let world = TestApp::on(world.database.clone(), harness::Options::default()).await;
    let caller = world.nobody().with("x-agent-token", &token.text);
    caller.get("/sessions").await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn agent_operations_accept_neither_people_nor_another_agent() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let (agent, other) = (world.puller("AGENT").await, world.puller("OTHER").await);
    let theirs = world.external_of(&world.another_tenant().await, "AGENT", json!({})).await;
    // The first use of a token is recorded, and a sign of life every few seconds.
    agent.heartbeat().await.expect(204);
    let before = owner.dump().await;
    assert!(of_agents().len() >= 5);
    for operation in of_agents() {
        for role in Role::ALL {
            call(&world.caller(role), &operation, &agent.id).await.problem(403, "AGENT_TOKEN_REQUIRED");
        }
        let unknown = call(&agent.caller, &operation, UNKNOWN).await.problem(404, "AGENT_NOT_FOUND");
        for foreign in [&other.id, &theirs.id] {
            let reply = call(&agent.caller, &operation, foreign).await.problem(404, "AGENT_NOT_FOUND");
            assert_eq!(words(reply, foreign), words(unknown.clone(), UNKNOWN), "{}", operation.path);
        }
        let named = operation.path.contains("{task_id}").then(|| operation.path_of(&agent.id, "none"));
        if let Some(path) = named {
            agent.caller.send(&operation.method, &path, operation.body()).await.problem(422, "VALIDATION_FAILED");
            let unknown = operation.path_of(&agent.id, UNKNOWN);
            agent.caller.send(&operation.method, &unknown, operation.body()).await.problem(404, "TASK_NOT_FOUND");
        }
    }
    assert_eq!(owner.dump().await, before);
}

/// A refusal without the ids of the object and of the request.
fn words(mut problem: Value, id: &str) -> String {
    problem["request_id"] = json!(null);
    problem.to_string().replace(id, "<id>")
}

#[tokio::test]
async fn every_operation_answers_another_tenants_object_like_an_unknown_one() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let theirs = world.another_tenant().await;
    let session = world.caller_of(&theirs, Role::Member).new_session(json!({})).await;
    let objects = objects(&world, &theirs, &session).await;
    let before = owner.dump().await;
    let mut asked = 0;
    for operation in guarded().into_iter().filter(|one| one.names_an_object() && !one.is_refused_to_all()) {
        let (_, foreign) = objects
            .iter()
            .find(|(path, _)| operation.path.starts_with(path))
            .unwrap_or_else(|| panic!("say what object of another tenant {} is to name", operation.path));
        for role in [Role::Lead, Role::Admin].into_iter().filter(|role| *role >= operation.lowest_role()) {
            // An admin may look after every tenant, but only where tenants are what it is about.
            if operation.path.starts_with("/api/v1/tenants/") {
                continue;
            }
            let caller = world.caller(role);
            let unknown = call(&caller, &operation, UNKNOWN).await.problem(404, operation.not_found());
            let reply = call(&caller, &operation, foreign).await.problem(404, operation.not_found());
            assert_eq!(words(reply, foreign), words(unknown, UNKNOWN), "{} {}", operation.method, operation.path);
            asked += 1;
        }
    }
    assert!(asked >= 40, "only {asked} were asked");
    assert_eq!(owner.dump().await, before);
}

/// An object of another tenant below each path.
async fn objects(world: &TestApp, tenant: &Tenant, session: &str) -> Vec<(&'static str, String)> {
    let lead = world.caller_of(tenant, Role::Lead);
    let person = json!({"email": "ada@example.org", "full_name": "Ada", "role": "viewer"});
    let user = lead.post("/api/v1/users", person).await.expect(201)["id"].as_str().unwrap().to_owned();
    let agent = json!({"name": "theirs", "agent_type": "reviewer", "kind": "eap", "capabilities": []});
    let job = json!({"base_model": "tiny", "target_model_name": "theirs"});
    let job = lead.post("/api/v1/fine-tuning/jobs", job).await.expect(201)["id"].as_str().unwrap().to_owned();
    let agent = lead.post("/api/v1/agents", agent).await.expect(201)["id"].as_str().unwrap().to_owned();
    let model = json!({"name": "theirs", "base_model": "meta/llama"});
    lead.post("/api/v1/models", model).await.expect(201);
    let arms = json!([{"name": "a", "model": "a/b"}, {"name": "b", "model": "a/c"}]);
    let experiment = lead.post("/api/v1/experiments", json!({"name": "theirs", "arms": arms})).await.expect(201);
    let experiment = experiment["id"].as_str().unwrap().to_owned();
    let environment = lead.post("/api/v1/environments", json!({"name": "theirs"})).await.expect(201);
    let environment = environment["id"].as_str().unwrap().to_owned();
    let secret = format!("/api/v1/secrets/{environment}/TOKEN");
    lead.send("PUT", &secret, Some(json!({"value": "theirs"}).to_string().into_bytes())).await.expect(200);
    let dataset = world.dataset_of(tenant).await.id.to_string();
    let enrolment = lead.post("/api/v1/runners/enrolments", json!({"pool": "theirs"})).await.expect(201);
    let runner = world.runner_of(tenant, "theirs", "one").await.id;
    vec![
        ("/api/v1/runners/enrolments/", enrolment["id"].as_str().unwrap().to_owned()),
        ("/api/v1/runners/", runner),
        ("/api/v1/agents/", agent.clone()),
        ("/api/v1/fine-tuning/datasets/", dataset),
        ("/api/v1/marketplace/", agent),
        ("/api/v1/a2a/", session.to_owned()),
        ("/api/v1/api-keys/", tenant.key_id(Role::Viewer).to_string()),
        ("/api/v1/fine-tuning/jobs/", job),
        ("/api/v1/environments/", environment.clone()),
        ("/api/v1/secrets/", environment),
        ("/api/v1/experiments/", experiment),
        ("/api/v1/models/", "theirs".to_owned()),
        ("/api/v1/sessions/", session.to_owned()),
        ("/api/v1/tenants/", tenant.id.to_string()),
        ("/api/v1/users/", user),
    ]
}
