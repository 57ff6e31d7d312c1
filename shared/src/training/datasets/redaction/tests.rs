//! Claims about the redaction of samples.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// One of each kind of secret and of personal data, with its name in the counts.
fn canaries() -> Vec<(&'static str, String)> {
    [secret_canaries(), personal_canaries()].concat()
}

/// Assembled here so that no scanner takes this file for a leak.
fn secret_canaries() -> Vec<(&'static str, String)> {
    let hex = |n: usize| "0a1b2c3d4e5f6789".repeat(8)[..n].to_owned();
    let mixed = |n: usize| "cN4rY5aB3dE5gH7jK9mN1pQ2".repeat(8)[..n].to_owned();
    vec![
        ("ioc", format!("ioc_prod_{}_{}", hex(32), hex(64))),
        ("openai_anthropic", format!("sk-ant-api03-{}", mixed(60))),
        ("openai_anthropic", format!("sk-proj-{}", mixed(48))),
        ("github", format!("ghp_{}", mixed(36))),
        ("github_fine_grained", format!("github_pat_{}_{}", mixed(22), mixed(59))),
        ("gitlab", format!("glpat-{}", mixed(20))),
        ("slack", format!("xoxb-123456789012-{}", mixed(24))),
        ("slack_webhook", format!("hooks.slack.com/services/T0000/B0000/{}", mixed(24))),
        ("aws", "AKIACANARYCANARY1234".to_owned()),
        ("google", format!("AIza{}", mixed(35))),
        ("google_oauth", format!("ya29.{}", mixed(40))),
        ("stripe", format!("sk_live_{}", mixed(24))),
        ("npm", format!("npm_{}", mixed(36))),
        ("pypi", format!("pypi-{}", mixed(60))),
        ("crates_io", format!("cio{}", mixed(32))),
        ("hugging_face", format!("hf_{}", mixed(34))),
        ("sendgrid", format!("SG.{}.{}", mixed(22), mixed(43))),
        ("digitalocean", format!("dop_v1_{}", hex(64))),
        ("databricks", format!("dapi{}", hex(32))),
        ("shopify_linear", format!("shpat_{}", hex(32))),
        ("telegram", format!("123456789:AA{}", mixed(33))),
        ("azure", format!("AccountKey={}==", mixed(86))),
        ("jwt", format!("eyJ{}.eyJ{}.{}", mixed(20), mixed(30), mixed(43))),
        ("private_key", format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", mixed(64))),
    ]
}

fn personal_canaries() -> Vec<(&'static str, String)> {
    let plain = |kind, text: &str| (kind, text.to_owned());
    vec![
        plain("email", "ada.lovelace+work@mail.example.org"),
        plain("email", "jürgen@bücher.example"),
        plain("iban", "DE89 3704 0044 0532 0130 00"),
        plain("iban", "GB29NWBK60161331926819"),
        plain("payment_card", "4111 1111 1111 1111"),
        plain("payment_card", "5500-0055-5555-5559"),
        plain("payment_card", "378282246310005"),
        plain("national_id", "536-90-4399"),
        plain("phone", "+49 (30) 1234-5678"),
        plain("phone", "+14155552671"),
        plain("phone", "(415) 555-2671"),
        plain("phone", "0049 151 23456789"),
        plain("ip_address", "203.0.113.77"),
        plain("ip_address", "2001:db8:85a3::8a2e:370:7334"),
    ]
}

fn redacted(text: &str) -> (String, BTreeMap<String, u64>) {
    let mut redactor = Redactor::default();
    let clean = redactor.redact_text(text);
    (clean, redactor.counts())
}

#[test]
fn every_kind_of_secret_and_personal_data_is_redacted_and_counted() {
    for (kind, canary) in canaries() {
        let around = [
            format!("use {canary} now"),
            format!("\"{canary}\""),
            format!("k={canary}\nnext"),
            format!("({canary})"),
            format!("<{canary}>,"),
            canary.clone(),
        ];
        for text in around {
            let (clean, counts) = redacted(&text);
            assert!(!clean.contains(&canary), "{text} became {clean}");
            assert_eq!(counts.get(kind), Some(&1), "{text} became {clean}: {counts:?}");
        }
    }
}

#[test]
fn all_of_them_in_one_text_escape_as_little() {
    let all: Vec<_> = canaries().into_iter().map(|(_, canary)| canary).collect();
    for between in [" and ", "\n", "; ", "\t"] {
        let (clean, counts) = redacted(&all.join(between));
        for canary in &all {
            assert!(!clean.contains(canary), "{canary} in {clean}");
        }
        assert!(counts.values().sum::<u64>() >= all.len() as u64 - 2, "{counts:?}");
    }
}

#[test]
fn declared_secrets_and_names_in_paths_are_redacted_too() {
    for (text, kind) in [
        ("postgres://app:hunter2canary@db/ioc", "url_password"),
        ("api_key = 8f14e45fceea167a5a36dedd", "named_secret"),
        ("Tel.: 030 1234567", "phone"),
        ("phone: 0151/23456789", "phone"),
        ("/home/ada/src/main.rs", "user_name"),
        ("/Users/ada.lovelace/code", "user_name"),
        (r"C:\Users\Ada\code", "user_name"),
    ] {
        let (clean, counts) = redacted(text);
        assert_eq!(counts.get(kind), Some(&1), "{text} became {clean}");
        for text in ["hunter2canary", "8f14e45f", "1234567", "23456789", "ada", "Ada"] {
            assert!(!clean.contains(text), "{text} became {clean}");
        }
    }
}

#[test]
fn code_and_its_figures_stay_as_they_are() {
    for text in [
        "std::net::Ipv6Addr::LOCALHOST and db::Db::new(a::b)",
        "127.0.0.1:8000, 10.0.0.1, 192.168.1.4, 0.0.0.0, ::1, fe80::1",
        "git@github.com:acme/parser.git",
        "2026-11-22T23:20:01Z took 1732300000123 ms, line 1234:56, 12:34:56",
        "0a1b2c3d-4e5f-6789-8abc-0123456789ab",
        "version 1.2.3, foo@1.2.3, @scope/package, a @ b",
        "1234567890123456 is no card, XX00 1234 no account, 000-12-3456 nobody's",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "for i in 0..100 { sum += i * 2 - 3 }",
        "/home/user/x and /usr/bin/env",
    ] {
        assert_eq!(redacted(text), (text.to_owned(), BTreeMap::new()));
    }
}

#[test]
fn json_is_redacted_by_the_names_of_its_fields_and_stays_json() {
    let mut redactor = Redactor::default();
    let input = json!({"command": "mail ada@example.org", "password": "short", "nested": [{"token": {"a": 1}}]});
    let clean: Value = serde_json::from_str(&redactor.redact_json(input)).unwrap();
    assert_eq!(
        clean,
        json!({"command": "mail [email]", "password": "[redacted]", "nested": [{"token": "[redacted]"}]})
    );
    assert_eq!(redactor.counts(), BTreeMap::from([("email".to_owned(), 1), ("named_secret".to_owned(), 2)]));
}

#[test]
fn each_secret_and_personal_datum_is_redacted_behind_colours_and_hidden_characters() {
    let wraps: [fn(&str) -> String; 5] = [
        |text| format!("\x1b[31m{text}\x1b[0m"),
        |text| text.chars().flat_map(|c| [c, '\u{200b}']).collect(),
        |text| format!("\u{202e}{}\x1b[1m{}", &text[..4], &text[4..]),
        |text| format!("\x1b]8;;https://example.com\x1b\\{text}\x1b]8;;\x1b\\"),
        |text| format!("[31m{text}[0m"),
    ];
    let shapes = redact::shape_samples().into_iter();
    for (kind, canary) in shapes.chain(canaries()) {
        for wrap in wraps.into_iter().filter(|_| canary.is_char_boundary(4)) {
            let text = format!("It is {} now", wrap(&canary));
            let (clean, counts) = redacted(&text);
            assert!(counts.get(kind).is_some_and(|count| *count > 0), "{kind}: {text:?} became {clean:?}: {counts:?}");
            assert!(clean.starts_with("It is ") && clean.ends_with(" now"), "{clean:?}");
        }
    }
}

#[test]
fn special_tokens_of_chat_templates_are_broken_visibly_and_counted() {
    for token in [
        "<|im_end|>",
        "<|im_start|>",
        "<|endoftext|>",
        "</s>",
        "<s>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<end_of_turn>",
        "<|eot_id|>",
        "<｜end▁of▁sentence｜>",
        "</tool_use>",
        "[SEP]",
        "<|fim_prefix|>",
        "<|start_header_id|>",
    ] {
        let (clean, counts) = redacted(&format!("before{token}after"));
        assert!(!clean.contains(token), "{clean}");
        assert_eq!(clean.replacen(' ', "", 1), format!("before{token}after"));
        assert_eq!(counts, BTreeMap::from([("special_token".to_owned(), 1)]), "{token}");
        let mut redactor = Redactor::default();
        assert!(!redactor.redact_json(json!({token: [token]})).contains(token));
        assert_eq!(redacted(&clean).0, clean);
    }
    for code in ["a[i] <b> x | y", "<input type=\"text\">", "Vec<u8>", "if a <| b", "[section]"] {
        assert_eq!(redacted(code), (code.to_owned(), BTreeMap::new()));
    }
}

#[test]
fn the_cost_of_a_sample_is_linear() {
    let units = [
        "a@",
        "a@b.cc",
        "x@a.bb1",
        "DE89 3704 ",
        "4111 ",
        "1-",
        "+1 ",
        "(415) ",
        "1.",
        "2001:",
        "/home/a",
        "tel ",
        "phone: 1",
        "<|a",
        "<|",
        "[/INST",
        "-eyJ-AKIABBBBBBBBBBBBBBBB",
        "ada@example.org ",
        "\x1b[31ma@b.cc",
    ];
    for unit in units {
        crate::kernel::cost::assert_linear("Redactor", unit, |text| drop(redacted(text)));
    }
}

proptest! {
    #[test]
    fn no_address_escapes_whatever_stands_around_it(
        before in "[ -~]{0,20}[ \n\"(<,;]", name in "[a-z]{2,12}", host in "[a-z]{2,12}", after in "([ \n\")>,;][ -~]{0,20})?"
    ) {
        prop_assume!(name != "git");
        let address = format!("{name}@{host}.example");
        let (clean, _) = redacted(&format!("{before}{address}{after}"));
        prop_assert!(!clean.contains(&address), "{}", clean);
    }

    #[test]
    fn redacting_twice_changes_nothing_more(text in "[a-zA-Z0-9@.:+/ ()_-]{0,80}") {
        let (clean, _) = redacted(&text);
        let (again, _) = redacted(&clean);
        prop_assert_eq!(redacted(&again).0, again);
    }
}
