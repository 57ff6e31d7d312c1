use proptest::prelude::*;
use serde_json::json;

use super::{shapes::shape_samples, *};

/// One secret of each kind, assembled here so that no scanner reports this file.
fn samples() -> Vec<String> {
    let hex = |n: usize| "0123456789abcdef".repeat(8)[..n].to_owned();
    let mixed = |n: usize| "aB3dE5gH7jK9mN1pQ2sT4vW6".repeat(8)[..n].to_owned();
    let upper = "ABCDEFGH12345678";
    vec![
        format!("ioc_local_{}_{}", hex(32), hex(64)),
        format!("ioca_prod_{}_{}", hex(32), hex(64)),
        format!("iocr_prod_{}_{}", hex(32), hex(64)),
        format!("iocrc_prod_{}_{}", hex(32), hex(64)),
        format!("sk-{}", mixed(48)),
        format!("sk-ant-api03-{}-{}", mixed(40), mixed(20)),
        format!("sk-proj-{}_{}", mixed(40), mixed(20)),
        format!("ghp_{}", mixed(36)),
        format!("github_pat_{}_{}", mixed(22), mixed(59)),
        format!("glpat-{}", mixed(20)),
        format!("xoxb-123456789012-{}", mixed(24)),
        format!("hooks.slack.com/services/T0000/B0000/{}", mixed(24)),
        format!("AKIA{upper}"),
        format!("AIza{}", mixed(35)),
        format!("ya29.{}", mixed(40)),
        format!("sk_live_{}", mixed(24)),
        format!("npm_{}", mixed(36)),
        format!("pypi-{}", mixed(60)),
        format!("cio{}", mixed(32)),
        format!("hf_{}", mixed(34)),
        format!("SG.{}.{}", mixed(22), mixed(43)),
        format!("dop_v1_{}", hex(64)),
        format!("dapi{}", hex(32)),
        format!("shpat_{}", hex(32)),
        format!("123456789:AA{}", mixed(33)),
        format!("AccountKey={}==", mixed(86)),
        format!("eyJ{}.eyJ{}.{}", mixed(20), mixed(30), mixed(43)),
        format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n{}\n-----END RSA PRIVATE KEY-----", mixed(64), mixed(40)),
        format!("-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----", mixed(64)),
        format!("Bearer {}", mixed(40)),
        format!("Authorization: Basic {}==", mixed(30)),
    ]
}

/// Also one of each shape and prefix of the table.
fn all_samples() -> Vec<String> {
    samples().into_iter().chain(shape_samples().into_iter().map(|(_, sample)| sample)).collect()
}

#[test]
fn every_known_kind_of_secret_is_masked_wherever_it_stands() {
    for sample in all_samples() {
        let secret =
            sample.split_once(' ').filter(|_| !sample.starts_with('-')).map_or(sample.as_str(), |(_, rest)| rest);
        for around in [format!("use {sample} now"), format!("\"{sample}\""), format!("k={sample}\n"), sample.clone()] {
            let clean = redact_text(&around);
            assert!(clean.contains(MASK) && !clean.contains(secret), "{around} became {clean}");
        }
        assert_eq!(mask_secrets(json!({"a": [{"b": sample}]})).to_string().matches(MASK).count(), 1);
    }
}

#[test]
fn a_declared_secret_value_is_masked_and_its_name_kept() {
    for (text, clean) in [
        ("postgres://app:hunter2@db.internal/ioc", "postgres://app:[redacted]@db.internal/ioc"),
        ("redis://:s3cret@cache:6379", "redis://:[redacted]@cache:6379"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [redacted]"),
        ("export DB_PASSWORD='correct-horse-8battery'", "export DB_PASSWORD='[redacted]'"),
        (r#"{"client_secret": "a8f5f167f44f4964e6c998dee827110c"}"#, r#"{"client_secret": "[redacted]"}"#),
        (r#"{\"token\":\"a8f5f167f44f4964\"}"#, r#"{\"token\":\"[redacted]\"}"#),
        ("curl -d api-key=abcdef123456", "curl -d api-key=[redacted]"),
    ] {
        assert_eq!(redact_text(text), clean);
    }
}

#[test]
fn secrets_are_masked_by_field_name_and_by_format() {
    let value = json!({"api_key": "plain", "note": "use sk-abcdefghijklmnop1234 here", "max_tokens": 5, "n": ["AKIAABCDEFGHIJKLMNOP"]});
    let clean = mask_secrets(value);
    assert_eq!(clean, json!({"api_key": MASK, "note": format!("use {MASK} here"), "max_tokens": 5, "n": [MASK]}));
}

#[test]
fn text_without_secrets_stays_unchanged() {
    let value = json!({"title": "Rotate the token of the build", "tags": ["secret-santa"], "tokens_input": 12});
    assert_eq!(mask_secrets(value.clone()), value);
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    for harmless in [
        "commit 3405134a9c1f0e2d4b6a8c0e1f3a5b7c9d1e3f50",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "session 01900000-0000-7000-8000-000000000000 is done",
        "token: 01900000-0000-7000-8000-000000000000",
        &format!("data:image/png;base64,{image}"),
        "let token = parse_the_next_token(input);",
        "password: required_unless_present",
        "fn api_key(&self) -> &str",
        "the task-sk-test ran; risk-assessment-of-the-project-2026 too",
        "https://example.com:8443/a@b",
        "git@github.com:team/app.git",
        "sk-short",
        "a bearer of good news, and a basic understanding",
        "src/auth/token.rs:42: expected `;`",
    ] {
        assert_eq!(redact_text(harmless), harmless);
    }
}

proptest! {
    #[test]
    fn base64_and_hashes_are_left_alone(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        use base64::Engine as _;
        let image = base64::engine::general_purpose::STANDARD.encode(&bytes);
        prop_assert_eq!(redact_text(&image), image.as_str());
        let hash = hex::encode(&bytes);
        prop_assert_eq!(redact_text(&hash), hash.as_str());
    }

    #[test]
    fn masking_twice_is_masking_once(start in ".{0,40}", at in 0..29_usize, end in ".{0,40}") {
        let once = redact_text(&format!("{start} {} {end}", samples()[at])).into_owned();
        prop_assert_eq!(redact_text(&once), once.as_str());
    }
}
