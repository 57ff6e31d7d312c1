//! Whose signature counts: a key of the token's own issuer, of the right kind, and nothing that looks like one.

use harness::issuer::{Issuer, Key, message, with_hmac};
use serde_json::json;

use super::{Setup, standing};

#[tokio::test]
async fn a_token_signed_by_its_issuer_with_any_common_algorithm_is_accepted() {
    let setup = Setup::new().await;
    let keys = [Key::ec("ec"), Key::rsa("rsa"), Key::ed("ed")];
    setup.issuer.publish(keys.iter().map(Key::public).collect());
    let claims = setup.claims(&json!({}));
    for key in &keys {
        setup.is_let_in(&setup.issuer.signed(&json!({}), &claims, key)).await;
    }
    setup.is_let_in(&setup.issuer.signed(&json!({"alg": "PS256"}), &claims, &keys[1])).await;
    assert_eq!(setup.users().await, 1, "it is one and the same person");
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let setup = Setup::new().await;
    let claims = setup.issuer.claims(&setup.claims(&json!({})));
    for none in ["none", "None", "NONE", ""] {
        let unsigned = message(&json!({"alg": none, "kid": "first", "typ": "JWT"}), &claims);
        setup.is_refused(&format!("{unsigned}.")).await;
        setup.is_refused(&format!("{unsigned}.AAAA")).await;
    }
    let good = setup.token(&json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    setup.is_refused(&format!("{signed}.")).await;
    setup.is_refused(&message(&json!({"kid": "first"}), &claims)).await;
    assert_eq!(setup.users().await, 0);
}

#[tokio::test]
async fn a_public_key_is_not_accepted_as_an_hmac_secret() {
    let setup = Setup::with(&json!({"algorithms": ["RS256", "ES256"]})).await;
    let rsa = Key::rsa("rsa");
    setup.issuer.publish(vec![rsa.public(), json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0"})]);
    let claims = setup.issuer.claims(&setup.claims(&json!({})));
    let modulus = rsa.public()["n"].as_str().unwrap().as_bytes().to_vec();
    for secret in [rsa.public_bytes(), modulus, rsa.public().to_string().into_bytes(), b"secret".to_vec()] {
        for kid in ["rsa", "shared"] {
            for alg in ["HS256", "RS256", "ES256"] {
                setup.is_refused(&with_hmac(&json!({"alg": alg, "kid": kid, "typ": "JWT"}), &claims, &secret)).await;
            }
        }
    }
    setup.is_let_in(&setup.issuer.signed(&json!({}), &setup.claims(&json!({})), &rsa)).await;
}

#[tokio::test]
async fn a_key_is_accepted_only_for_its_published_algorithm_and_use() {
    let setup = Setup::with(&json!({"algorithms": ["RS256", "PS256", "EdDSA"]})).await;
    let with = |key: &Key, field: &str, value: serde_json::Value| {
        let mut public = key.public();
        public[field] = value;
        public
    };
    let (rsa, sealing, ed, ec) = (Key::rsa("rsa"), Key::ed("sealing"), Key::ed("ed"), Key::ec("ec"));
    setup.issuer.publish(vec![
        with(&rsa, "alg", json!("RS256")),
        with(&sealing, "use", json!("enc")),
        with(&ed, "key_ops", json!(["sign"])),
        ec.public(),
    ]);
    let claims = setup.claims(&json!({}));
    setup.is_let_in(&setup.issuer.signed(&json!({}), &claims, &rsa)).await;
    setup.is_refused(&setup.issuer.signed(&json!({"alg": "PS256"}), &claims, &rsa)).await;
    setup.is_refused(&setup.issuer.signed(&json!({}), &claims, &sealing)).await;
    setup.is_refused(&setup.issuer.signed(&json!({}), &claims, &ed)).await;
    setup.is_refused(&setup.issuer.signed(&json!({}), &claims, &ec)).await;
    setup.is_refused(&setup.issuer.signed(&json!({"alg": "RS256"}), &claims, &ec)).await;
}

#[tokio::test]
async fn one_issuer_cannot_speak_for_another() {
    let clock = standing();
    let (ours, theirs) = (Issuer::start(&clock).await, Issuer::start(&clock).await);
    let issuers = vec![ours.settings(&json!({})), theirs.settings(&json!({}))];
    let options = harness::Options { clock: clock.clone(), issuers, ..harness::Options::default() };
    let world = harness::TestApp::idle(options).await;
    let owner = world.superuser().await;
    owner.run("update tenants set signup = true").await;
    let setup = Setup { world, issuer: ours, clock, owner };
    let claims = setup.claims(&json!({}));
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.is_let_in(&theirs.signed(&json!({}), &setup.claims(&json!({"email": "eve@example.com"})), &theirs.key)).await;
    // With the words of one and the key of the other, under either's name of the key.
    setup.is_refused(&setup.issuer.signed(&json!({}), &claims, &theirs.key)).await;
    setup.is_refused(&setup.issuer.signed(&json!({"kid": setup.issuer.key.id}), &claims, &theirs.key)).await;
    setup.is_refused(&theirs.signed(&json!({}), &claims, &setup.issuer.key)).await;
    let untrusted = Issuer::start(&setup.clock).await;
    setup.is_refused(&untrusted.token(&claims)).await;
    assert_eq!(untrusted.calls(), 0, "nobody asks an issuer that a token merely names");
}

#[tokio::test]
async fn a_token_with_an_embedded_key_or_unknown_critical_header_is_refused() {
    let setup = Setup::new().await;
    let (mine, claims) = (Key::ec("mine"), setup.claims(&json!({})));
    let elsewhere = format!("{}/keys", Issuer::start(&setup.clock).await.url);
    for header in [
        json!({"jwk": mine.public()}),
        json!({"jwk": mine.public(), "kid": null}),
        json!({"jku": elsewhere, "kid": "mine"}),
        json!({"x5u": elsewhere, "kid": "first"}),
    ] {
        setup.is_refused(&setup.issuer.signed(&header, &claims, &mine)).await;
    }
    for header in [
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"zip": "DEF"}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": "secevent+jwt"}),
    ] {
        setup.is_refused(&setup.issuer.signed(&header, &claims, &setup.issuer.key)).await;
    }
    for typ in [json!("at+jwt"), json!("application/at+jwt"), json!("jwt"), serde_json::Value::Null] {
        setup.is_let_in(&setup.issuer.signed(&json!({"typ": typ}), &claims, &setup.issuer.key)).await;
    }
}

#[tokio::test]
async fn a_changed_truncated_or_garbled_token_is_refused() {
    let setup = Setup::new().await;
    let good = setup.token(&json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let other = setup.token(&json!({"sub": "eve"}));
    let others: Vec<_> = other.split('.').collect();
    let mixed = format!("{}.{}.{}", parts[0], others[1], parts[2]);
    let short = &good[..good.len() - 1];
    for wrong in [mixed.as_str(), short, "..", "a.b.c", "e30.e30.e30", &format!("{good}="), &good.replace('.', "..")] {
        setup.is_refused(wrong).await;
    }
    assert_eq!(setup.users().await, 0);
    setup.is_let_in(&good).await;
}

#[tokio::test]
async fn a_token_of_more_than_16_kib_is_refused_unread() {
    let setup = Setup::new().await;
    let filled = |length: usize| setup.token(&json!({"filler": "x".repeat(length)}));
    let large = filled(14_000);
    assert!(large.len() > 16 * 1024);
    setup.is_refused(&large).await;
    assert_eq!(setup.issuer.calls(), 0);
    let fitting = filled(11_000);
    assert!(fitting.len() < 16 * 1024);
    setup.is_let_in(&fitting).await;
}

#[tokio::test]
async fn without_a_trusted_issuer_no_token_is_valid() {
    let clock = standing();
    let issuer = Issuer::start(&clock).await;
    let world = harness::TestApp::full().await;
    let token = issuer.token(&json!({"tenant": world.tenant.slug}));
    let caller = world.nobody().with("authorization", &format!("Bearer {token}"));
    caller.get("/sessions").await.problem(401, "UNAUTHENTICATED");
    assert_eq!(issuer.calls(), 0);
}
