//! The API as its document describes it, asked by a fuzzer that has read the document and nothing else.

use std::{path::Path, time::Duration};

use harness::{
    TestApp,
    child_process::{root, test_program},
};
use serde_json::json;
use shared::identity::auth::Role;
use tokio::{net::TcpListener, process::Command, task::JoinSet, time::timeout};

/// The checks of every response, whatever was sent.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// The same requests each time, so that what is found once is found again.
const SEED: &str = "20261122";

/// The roles, with the phases of the fuzzer and how many requests it makes up for each operation. An admin may do
/// everything, so the edges of what operations take are tried as an admin; the others meet more refusals.
const RUNS: [(Role, &str, &str); 3] = [
    (Role::Admin, "examples,coverage,fuzzing", "6"),
    (Role::Lead, "examples,fuzzing", "3"),
    (Role::Member, "examples,fuzzing", "3"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_response_to_a_fuzzer_conforms_to_the_openapi_document() {
    let program = test_program("schemathesis", "SCHEMATHESIS");
    let world = TestApp::full().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (api, mut tasks) = (world.api.clone(), JoinSet::new());
    tasks.spawn(async move { _ = axum::serve(listener, api).await });
    let id = world.caller(Role::Member).new_session(json!({})).await;
    world.superuser().await.place(&id, "pending").await;
    let all = async {
        for (role, phases, examples) in RUNS {
            let depth = ["--phases", phases, "--max-examples", examples];
            let (succeeded, reported) =
                fuzz(&program, &url, (world.tenant.key(role), &world.tenant.slug), &depth).await;
            assert!(succeeded, "as {}:\n{reported}", role.name());
            let sent = reported.split(" generated, ").next().and_then(|text| text.rsplit(char::is_whitespace).next());
            let sent: u32 = sent.and_then(|text| text.parse().ok()).unwrap_or_default();
            assert!(sent > 200, "only {sent} requests:\n{reported}");
        }
    };
    timeout(Duration::from_mins(10), all).await.expect("the fuzzer ends");
    world.nobody().get("/ready").await.expect(200);
}

/// Runs the fuzzer once; returns whether it found nothing, and its output.
async fn fuzz(program: &Path, url: &str, (key, tenant): (&str, &str), depth: &[&str]) -> (bool, String) {
    let document = root().join("docs/openapi.json");
    let ended = Command::new(program)
        .arg("run")
        .arg(document)
        .args(["--url", url, "--checks", CHECKS, "--seed", SEED])
        .args(depth)
        .args(["--header", &format!("Authorization: Bearer {key}"), "--header", &format!("X-Tenant-ID: {tenant}")])
        // A call may wait for a session for 20 seconds.
        .args(["--request-timeout", "30"])
        .args(["--generation-database", "none", "--no-color", "--continue-on-failure", "--warnings", "off"])
        // Where it would look for settings and leave reports.
        .current_dir(std::env::temp_dir())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    (ended.status.success(), String::from_utf8_lossy(&ended.stdout).into_owned())
}
