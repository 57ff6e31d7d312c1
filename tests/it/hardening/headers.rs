//! The headers that every response sends to a browser.

use harness::{Options, Reply, TestApp};
use serde_json::json;
use shared::{app::config::Config, identity::auth::Role, platform::variables::Variables};

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let world = TestApp::full().await;
    let (nobody, caller) = (world.nobody(), world.caller(Role::Member));
    let replies = [
        nobody.get("/health").await,
        nobody.get("/openapi.json").await,
        nobody.get("/docs/").await,
        nobody.get("/nothing").await,
        nobody.get("/sessions").await,
        caller.get("/sessions").await,
        caller.post("/sessions", json!({})).await,
        caller.send("PUT", "/sessions", None).await,
    ];
    for reply in &replies {
        assert_eq!(header(reply, "x-content-type-options"), "nosniff");
        assert_eq!(header(reply, "referrer-policy"), "no-referrer");
        assert_eq!(header(reply, "x-frame-options"), "DENY");
        assert_eq!(header(reply, "cross-origin-resource-policy"), "same-origin");
        assert!(header(reply, "content-security-policy").starts_with("default-src 'none'; "), "{reply:?}");
        assert!(header(reply, "content-security-policy").ends_with("frame-ancestors 'none'"), "{reply:?}");
        assert!(reply.headers.get("strict-transport-security").is_none(), "plain HTTP promises no HTTPS");
        assert!(reply.headers.get("access-control-allow-origin").is_none(), "off unless it is configured");
    }
    for reply in &replies[4..] {
        assert_eq!(header(reply, "cache-control"), "no-store");
    }
    let by_https = caller.with("x-forwarded-proto", "https").get("/sessions").await;
    assert!(header(&by_https, "strict-transport-security").starts_with("max-age="));
}

#[tokio::test]
async fn the_page_of_the_documentation_may_run_its_own_scripts_and_no_others() {
    let world = TestApp::full().await;
    let page = world.nobody().get("/docs/").await;
    assert!(header(&page, "content-security-policy").contains("script-src 'self';"));
    let text = String::from_utf8_lossy(&page.bytes);
    assert!(!text.contains("<script>") && !text.contains("//unpkg") && !text.contains("https://"), "{text}");
}

/// The response headers that a page may read.
const EXPOSED: [&str; 7] =
    ["etag", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id", "idempotent-replay"];

#[tokio::test]
async fn only_pages_of_the_configured_origins_may_call_the_api() {
    let mut options = Options::default();
    options.settings.cors_origins = ["https://app.example.com".to_owned(), "http://127.0.0.1:5173".to_owned()].into();
    let world = TestApp::idle(options).await;
    let asked = world
        .nobody()
        .with("origin", "https://app.example.com")
        .with("access-control-request-method", "PATCH")
        .with("access-control-request-headers", "authorization,if-match,idempotency-key,x-tenant-id");
    let preflight = asked.send("OPTIONS", "/sessions", None).await;
    assert_eq!(preflight.status, 200);
    assert_eq!(header(&preflight, "access-control-allow-origin"), "https://app.example.com");
    assert!(header(&preflight, "access-control-allow-methods").contains("PATCH"));
    for name in ["authorization", "if-match", "idempotency-key", "x-tenant-id", "content-type"] {
        assert!(header(&preflight, "access-control-allow-headers").contains(name), "{name}");
    }
    assert!(preflight.headers.get("access-control-allow-credentials").is_none());
    assert_eq!(header(&preflight, "x-content-type-options"), "nosniff");
    let caller = world.caller(Role::Viewer);
    for (origin, allowed) in [
        ("http://127.0.0.1:5173", true),
        ("https://app.example.com.evil.example", false),
        ("http://app.example.com", false),
        ("null", false),
    ] {
        let reply = caller.with("origin", origin).get("/sessions").await;
        assert_eq!(header(&reply, "access-control-allow-origin") == origin, allowed, "{origin}");
        assert!(header(&reply, "vary").contains("origin"));
        let exposed = header(&reply, "access-control-expose-headers").to_owned();
        for name in EXPOSED {
            assert!(exposed.split(',').any(|one| one.trim() == name), "{name}: {exposed}");
        }
        reply.expect(200);
    }
    // Also what is refused can be read by the page, as the problem that it is.
    let refused = world.nobody().with("origin", "https://app.example.com").get("/sessions").await;
    assert_eq!(header(&refused, "access-control-allow-origin"), "https://app.example.com");
    refused.problem(401, "UNAUTHENTICATED");
}

#[test]
fn an_inexact_cors_origin_prevents_the_start() {
    let read = |origins: &str| {
        let all = [("DATABASE_URL", "postgres://x"), ("REDIS_URL", "redis://x"), ("API_KEY_PEPPER", "x")];
        Config::read(&Variables::from(all).with_variable("CORS_ORIGINS", origins.to_owned())).map(|read| read.settings)
    };
    for wrong in
        ["*", "https://*.example.com", "app.example.com", "https://app.example.com/", "https://a,*", "null", "ftp://a"]
    {
        assert!(read(wrong).err().unwrap().detail().contains("CORS_ORIGINS"), "{wrong}");
    }
    let good = read("https://app.example.com, http://127.0.0.1:5173").ok().unwrap();
    assert_eq!(good.cors_origins.len(), 2);
    assert!(read("").ok().unwrap().cors_origins.is_empty());
}
