//! `GET /sessions/{id}`: one session, with its version.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn the_etag_is_the_version_and_grows_with_each_change() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let path = format!("/sessions/{id}");
    for (version, verb) in [(1, "start"), (2, "unqueue"), (3, "start"), (4, "cancel")] {
        let reply = caller.get(&path).await;
        assert_eq!(reply.headers["etag"], format!("\"{version}\""));
        assert_eq!(reply.expect(200)["version"], version);
        assert!(caller.act(&format!("{path}/{verb}")).await.status.is_success());
    }
}

#[tokio::test]
async fn an_id_is_accepted_in_any_uuid_notation() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Viewer);
    let id = world.caller(Role::Member).new_session(json!({})).await;
    for form in [id.to_uppercase(), id.replace('-', "")] {
        assert_eq!(caller.session(&form).await["id"], id);
    }
}

#[tokio::test]
async fn a_queued_session_shows_its_position_and_what_it_waits_for() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    for place in 1..=3 {
        let id = caller.start_session(json!({})).await;
        let detail = "All of the tenant's slots are taken.";
        let queue = json!({"place": place, "waiting_for": "slot", "detail": detail});
        assert_eq!(caller.session(&id).await["queue"], queue);
    }
    let urgent = caller.start_session(json!({"priority": "critical"})).await;
    assert_eq!(caller.session(&urgent).await["queue"]["place"], 1);
}
