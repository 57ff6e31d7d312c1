use proptest::prelude::*;
use serde_json::json;

use super::*;

/// One of each kind of secret and of personal data, with what names it in the counts. Put together here so that no scanner
/// takes this file for a leak.
fn canaries() -> Vec<(&'static str, String)> {
    let hex = |n: usize| "0a1b2c3d4e5f6789".repeat(8)[..n].to_owned();
    let mixed = |n: usize| "cN4rY5aB3dE5gH7jK9mN1pQ2".repeat(8)[..n].to_owned();
    let plain = |kind, text: &str| (kind, text.to_owned());
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
    let clean = redactor.text(text);
    (clean, redactor.counts())
}

#[test]
fn of_every_kind_of_secret_and_personal_data_nothing_escapes_and_each_is_counted() {
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
fn what_is_said_to_be_a_secret_or_stands_in_a_path_is_taken_out_too() {
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
        for told in ["hunter2canary", "8f14e45f", "1234567", "23456789", "ada", "Ada"] {
            assert!(!clean.contains(told), "{text} became {clean}");
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
    let clean: Value = serde_json::from_str(&redactor.json(input)).unwrap();
    assert_eq!(
        clean,
        json!({"command": "mail [email]", "password": "[redacted]", "nested": [{"token": "[redacted]"}]})
    );
    assert_eq!(redactor.counts(), BTreeMap::from([("email".to_owned(), 1), ("named_secret".to_owned(), 2)]));
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
    fn what_is_clean_stays_as_it_is_when_it_is_redacted_again(text in "[a-zA-Z0-9@.:+/ ()_-]{0,80}") {
        let (clean, _) = redacted(&text);
        let (again, _) = redacted(&clean);
        prop_assert_eq!(redacted(&again).0, again);
    }
}
