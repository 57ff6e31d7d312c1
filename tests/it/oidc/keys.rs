//! The keys of an issuer: fetched once, looked after, used on while it is down, and never asked for by a flood.

use chrono::TimeDelta;
use harness::{
    issuer::{Issuer, Key, Mode},
    until,
};
use serde_json::json;
use shared::kernel::error::Code;

use super::{Setup, standing};

#[tokio::test]
async fn signing_keys_come_from_the_discovery_document_or_the_configured_url() {
    let setup = Setup::new().await;
    setup.is_let_in(&setup.token(&json!({}))).await;
    assert_eq!((setup.issuer.calls(), setup.issuer.fetches()), (2, 1));
    let clock = standing();
    let issuer = Issuer::start(&clock).await;
    let url = format!("{}/keys", issuer.url);
    let named = Setup::of(clock, issuer, &json!({"jwks_url": url})).await;
    named.is_let_in(&named.token(&json!({}))).await;
    assert_eq!((named.issuer.calls(), named.issuer.fetches()), (1, 1));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch_in_30_seconds() {
    let setup = Setup::new().await;
    setup.is_let_in(&setup.token(&json!({}))).await;
    let stranger = Key::ec("stranger");
    let flood = async |from: usize| {
        for at in from..from + 20 {
            let header = json!({"kid": format!("stranger-{at}")});
            setup.is_refused(&setup.issuer.signed(&header, &setup.claims(&json!({})), &stranger)).await;
        }
    };
    flood(0).await;
    assert_eq!(setup.issuer.fetches(), 1, "they were fetched just now");
    setup.clock.advance(TimeDelta::seconds(29));
    flood(20).await;
    assert_eq!(setup.issuer.fetches(), 1);
    setup.clock.advance(TimeDelta::seconds(1));
    flood(40).await;
    assert_eq!(setup.issuer.fetches(), 2);
    setup.is_let_in(&setup.token(&json!({"jti": "another"}))).await;
    assert_eq!(setup.issuer.fetches(), 2);
}

#[tokio::test]
async fn many_calls_at_once_wait_for_one_fetch() {
    let setup = Setup::new().await;
    setup.issuer.is(Mode::Held);
    let tokens: Vec<_> = (0..20).map(|at| setup.token(&json!({"jti": at.to_string()}))).collect();
    let calls = futures_util::future::join_all(tokens.iter().map(|token| setup.is_let_in(token)));
    let release = async {
        until(async || setup.issuer.calls() == 1).await;
        setup.issuer.is(Mode::Up);
    };
    futures_util::future::join(calls, release).await;
    assert_eq!((setup.issuer.calls(), setup.issuer.fetches()), (2, 1));
    assert_eq!(setup.users().await, 1);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_first_seen_and_an_old_one_is_forgotten() {
    let mut setup = Setup::new().await;
    let old = setup.issuer.key.clone();
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.clock.advance(TimeDelta::minutes(1));
    setup.issuer.rotate("second");
    setup.is_let_in(&setup.token(&json!({}))).await;
    assert_eq!(setup.issuer.fetches(), 2);
    setup.is_refused(&setup.issuer.signed(&json!({}), &setup.claims(&json!({})), &old)).await;
}

#[tokio::test]
async fn a_withdrawn_key_is_trusted_for_at_most_ten_minutes() {
    let setup = Setup::new().await;
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.issuer.publish(vec![Key::ec("second").public()]);
    setup.clock.advance(TimeDelta::seconds(599));
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.clock.advance(TimeDelta::seconds(1));
    setup.is_refused(&setup.token(&json!({}))).await;
}

#[tokio::test]
async fn a_token_without_a_key_id_is_valid_where_only_one_key_exists() {
    let setup = Setup::new().await;
    let token = |jti: &str| {
        let claims = setup.claims(&json!({"jti": jti}));
        setup.issuer.signed(&json!({"kid": null}), &claims, &setup.issuer.key)
    };
    setup.is_let_in(&token("one")).await;
    setup.issuer.publish(vec![setup.issuer.key.public(), Key::ec("second").public()]);
    setup.clock.advance(TimeDelta::minutes(10));
    setup.is_refused(&token("two")).await;
}

#[tokio::test]
async fn cached_keys_of_an_unreachable_issuer_stay_valid_for_a_day() {
    let setup = Setup::new().await;
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.issuer.is(Mode::Failing(503));
    for hours in [1, 11, 11] {
        setup.clock.advance(TimeDelta::hours(hours));
        setup.is_let_in(&setup.token(&json!({}))).await;
        let stranger = Key::ec("stranger");
        setup.is_refused(&setup.issuer.signed(&json!({}), &setup.claims(&json!({})), &stranger)).await;
    }
    setup.clock.advance(TimeDelta::hours(1));
    let problem = setup.caller(&setup.token(&json!({}))).get("/sessions").await.problem(503, "DEPENDENCY_UNAVAILABLE");
    assert_eq!(problem["detail"], "The issuer of the token does not answer.");
    setup.issuer.is(Mode::Up);
    setup.clock.advance(TimeDelta::seconds(5));
    setup.is_let_in(&setup.token(&json!({}))).await;
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_admits_nobody_and_is_rarely_retried() {
    let setup = Setup::new().await;
    setup.issuer.is(Mode::Failing(500));
    for _ in 0..10 {
        assert_eq!(setup.code(&setup.token(&json!({}))).await, Some(Code::DependencyUnavailable));
    }
    assert_eq!(setup.issuer.calls(), 1);
    setup.clock.advance(TimeDelta::seconds(5));
    setup.issuer.is(Mode::Up);
    setup.is_let_in(&setup.token(&json!({}))).await;
}

#[tokio::test]
async fn an_issuer_with_late_oversized_or_invalid_responses_counts_as_down() {
    let setup = Setup::new().await;
    let key = format!("{{\"keys\": [{}], \"filler\": \"", setup.issuer.key.public());
    let large = [key.as_bytes(), &vec![b'x'; 1024 * 1024], b"\"}"].concat();
    for mode in [Mode::Bytes(large), Mode::Bytes(b"[]".to_vec()), Mode::Bytes(b"<html>".to_vec()), Mode::Held] {
        setup.issuer.is(mode.clone());
        let code = setup.code(&setup.token(&json!({}))).await;
        assert_eq!(code, Some(Code::DependencyUnavailable), "{:.40}", format!("{mode:?}"));
        setup.clock.advance(TimeDelta::seconds(5));
    }
    assert_eq!(setup.users().await, 0);
}

#[tokio::test]
async fn redirects_to_keys_elsewhere_are_not_followed() {
    let setup = Setup::new().await;
    let other = Issuer::start(&setup.clock).await;
    let forged = || setup.issuer.signed(&json!({}), &setup.claims(&json!({})), &other.key);
    setup.issuer.is(Mode::Elsewhere(format!("{}/keys", other.url)));
    assert_eq!(setup.code(&forged()).await, Some(Code::DependencyUnavailable));
    setup.issuer.is(Mode::Up);
    let keys = format!("{}/keys", setup.issuer.url);
    for wrong in [
        json!({"issuer": other.url, "jwks_uri": keys}),
        json!({"issuer": format!("{}/", setup.issuer.url), "jwks_uri": keys}),
        json!({"issuer": setup.issuer.url, "jwks_uri": "http://login.example.com/keys"}),
        json!({"issuer": setup.issuer.url, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": setup.issuer.url}),
    ] {
        setup.clock.advance(TimeDelta::seconds(5));
        setup.issuer.says(wrong.clone());
        assert_eq!(setup.code(&setup.token(&json!({}))).await, Some(Code::DependencyUnavailable), "{wrong}");
    }
    assert_eq!((setup.issuer.fetches(), other.calls()), (0, 0));
}

#[tokio::test]
async fn an_unsupported_key_does_not_hide_the_others() {
    let setup = Setup::new().await;
    setup.issuer.publish(vec![
        json!({"kty": "AKP", "kid": "first", "alg": "ML-DSA-65", "pub": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "odd", "x": "AA", "y": "AA"}),
        json!("nonsense"),
        json!(7),
        setup.issuer.key.public(),
    ]);
    setup.is_let_in(&setup.token(&json!({}))).await;
}
