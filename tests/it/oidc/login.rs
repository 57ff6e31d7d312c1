//! The login options that a page gets before anybody has logged in.

use super::*;

#[tokio::test]
async fn streams_that_a_token_opened_end_with_the_token() {
    let setup = Setup::new().await;
    let until = setup.clock.now().timestamp() + 600;
    let token = setup.token(&json!({"exp": until}));
    let caller = setup.caller(&token);
    let mut stream = caller.open_stream("GET", "/api/v1/live/events?topic=/ws/system", None).await;
    stream.next_raw().await.unwrap();
    let ticket = harness::websocket::ticket(&caller).await;
    let path = format!("/api/v1/live/events?topic=/ws/agents&ticket={ticket}");
    let mut by_ticket = setup.world.nobody().open_stream("GET", &path, None).await;
    setup.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(stream.end_reason().await.as_deref(), Some("credential_ended"));
    assert_eq!(by_ticket.end_reason().await.as_deref(), Some("credential_ended"), "also by a ticket");
}

#[tokio::test]
async fn login_options_are_public_and_show_nothing_else() {
    let login = json!({"client_id": "ioc-dashboard", "name": "Example", "scopes": ["openid", "offline_access"],
                       "parameters": {"resource": "urn:ioc"}});
    let setup = Setup::with(&json!({"login": login, "tenant": "acme"})).await;
    let reply = setup.world.nobody().get("/api/v1/login").await;
    assert_eq!(reply.headers["cache-control"], "public, max-age=60");
    let issuers = json!([{"issuer": setup.issuer.url, "name": "Example", "client_id": "ioc-dashboard",
                          "scopes": ["openid", "offline_access"], "token": "access_token",
                          "audience": [harness::issuer::AUDIENCE], "parameters": {"resource": "urn:ioc"}}]);
    assert_eq!(reply.expect(200), json!({"issuers": issuers}));
    assert_eq!(setup.issuer.calls(), 0, "listing an issuer does not call it");
}

#[tokio::test]
async fn an_issuer_without_login_is_not_a_login_option() {
    let setup = Setup::new().await;
    assert_eq!(setup.world.nobody().get("/api/v1/login").await.expect(200), json!({"issuers": []}));
}

#[tokio::test]
async fn a_credential_sent_to_a_public_route_is_verified_and_changes_nothing() {
    let setup = Setup::with(&json!({"login": {"client_id": "ioc-dashboard"}})).await;
    let reported = setup.world.nobody().get("/api/v1/login").await.expect(200);
    assert_eq!(setup.caller(&setup.token(&json!({}))).get("/api/v1/login").await.expect(200), reported);
    setup.caller("forged.for.this").get("/api/v1/login").await.problem(401, "UNAUTHENTICATED");
}
