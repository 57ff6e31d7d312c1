//! What a page is told before anybody has logged in.

use super::*;

#[tokio::test]
async fn anybody_learns_where_to_log_in_and_nothing_else() {
    let login = json!({"client_id": "ioc-dashboard", "name": "Example", "scopes": ["openid", "offline_access"],
                       "parameters": {"resource": "urn:ioc"}});
    let setup = Setup::with(&json!({"login": login, "tenant": "acme"})).await;
    let reply = setup.world.nobody().get("/api/v1/login").await;
    assert_eq!(reply.headers["cache-control"], "public, max-age=60");
    let issuers = json!([{"issuer": setup.issuer.url, "name": "Example", "client_id": "ioc-dashboard",
                          "scopes": ["openid", "offline_access"], "token": "access_token",
                          "audience": [harness::issuer::AUDIENCE], "parameters": {"resource": "urn:ioc"}}]);
    assert_eq!(reply.expect(200), json!({"issuers": issuers}));
    assert_eq!(setup.issuer.calls(), 0, "telling of an issuer asks it nothing");
}

#[tokio::test]
async fn an_issuer_that_only_signs_tokens_is_no_place_to_log_in() {
    let setup = Setup::new().await;
    assert_eq!(setup.world.nobody().get("/api/v1/login").await.expect(200), json!({"issuers": []}));
}

#[tokio::test]
async fn a_credential_that_is_sent_all_the_same_is_looked_at_and_changes_nothing() {
    let setup = Setup::with(&json!({"login": {"client_id": "ioc-dashboard"}})).await;
    let told = setup.world.nobody().get("/api/v1/login").await.expect(200);
    assert_eq!(setup.caller(&setup.token(&json!({}))).get("/api/v1/login").await.expect(200), told);
    setup.caller("forged.for.this").get("/api/v1/login").await.problem(401, "UNAUTHENTICATED");
}
