//! Claims about secrets that are written so that a pattern misses them while a person or a program reads them.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{shapes::shape_samples, *};

/// A way to write a secret: its name, and what it makes of a text.
type Disguise = (&'static str, fn(&str) -> String);

fn each_char(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

/// The text with something after every third character.
fn interspersed(text: &str, with: &str) -> String {
    text.chars().enumerate().fold(String::new(), |mut all, (at, c)| {
        all.push(c);
        all.push_str(if at % 3 == 2 { with } else { "" });
        all
    })
}

fn as_json(text: &str) -> String {
    json!({"out": text}).to_string()
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"))
}

fn hexadecimal(c: char) -> String {
    if c.is_ascii() { format!("\\x{:02x}", u32::from(c)) } else { format!("\\u{{{:x}}}", u32::from(c)) }
}

fn wrapped(text: &str) -> String {
    let encoded = STANDARD.encode(format!("the first line of a file\nvalue {text}\nand the last line of this file\n"));
    encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
}

const DISGUISES: [Disguise; 41] = [
    ("a command of two characters", |text| format!("\x1bM{text}\x1b7")),
    ("combining underlines", |text| interspersed(text, "\u{332}")),
    ("a colour", |text| format!("\x1b[31m{text}\x1b[0m")),
    ("a colour of 8 bits", |text| format!("\u{9b}38;5;200m{text}\u{9b}0m")),
    ("colours within", |text| interspersed(text, "\x1b[1m")),
    ("a colour without its escape", |text| format!("[31m{text}[0m")),
    ("a colour in caret notation", |text| format!("^[[31m{text}^[[0m")),
    ("a colour whose escape is a symbol", |text| format!("\u{241b}[31m{text}\u{241b}[0m")),
    ("a colour that is spelled out", |text| format!("\\u001b[31m{text}\\u001b[0m")),
    ("a colour that is spelled for a shell", |text| format!("\\e[1;33m{text}\\033[0m")),
    ("a colour that lost its backslash", |text| format!("u001b[31m{text}u001b[0m")),
    ("a link", |text| format!("\x1b]8;;https://example.com/a\x1b\\{text}\x1b]8;;\x1b\\")),
    ("the address of a link", |text| format!("\x1b]8;;https://example.com/?q={text}\x1b\\here\x1b]8;;\x1b\\")),
    ("titles within", |text| interspersed(text, "\x1b]0;title\x07")),
    ("an unfinished title", |text| format!("\x1b]{text} ")),
    ("movements of the cursor", |text| format!("\x1b[2K\x1b[1G{text}\x1b[K")),
    ("a change of the character set", |text| format!("\x1b(B{text}\x1b(B")),
    ("spaces without width", |text| interspersed(text, "\u{200b}")),
    ("joiners", |text| interspersed(text, "\u{200d}\u{2060}")),
    ("soft hyphens", |text| interspersed(text, "\u{ad}")),
    ("marks of direction", |text| format!("\u{202e}{}\u{202c}", interspersed(text, "\u{200f}"))),
    ("marks of byte order", |text| interspersed(text, "\u{feff}")),
    ("tags and variation selectors", |text| interspersed(text, "\u{e0041}\u{fe0f}")),
    ("control characters", |text| interspersed(text, "\u{1}\u{0}")),
    ("bold by overstriking", |text| each_char(text, |c| if c == '\n' { "\n".into() } else { format!("{c}\u{8}{c}") })),
    ("a prefix with an underscore", |text| format!("MY_{text}")),
    ("an escaped line end", |text| format!("\\n{text}\\n")),
    ("an escaped line end, twice", |text| format!("\\\\n{text}\\\\n")),
    ("JSON", as_json),
    ("JSON in JSON", |text| as_json(&as_json(text))),
    ("JSON in JSON in JSON", |text| as_json(&as_json(&as_json(text)))),
    ("hexadecimal escapes", |text| each_char(text, hexadecimal)),
    ("a URL", |text| format!("q%3D{}", percent(text))),
    ("a URL in a URL", |text| percent(text).replace('%', "%25")),
    ("entities of HTML", |text| format!("&quot;{}&quot;", each_char(text, |c| format!("&#x{:x};", u32::from(c))))),
    ("entities of HTML, twice", |text| each_char(text, |c| format!("&amp;#{};", u32::from(c)))),
    ("backslashes of Markdown", |text| text.replace('_', "\\_").replace('-', "\\-")),
    ("base64", |text| STANDARD.encode(format!("the value is {text}\n"))),
    ("base64 of URLs", |text| format!("data_{}", URL_SAFE_NO_PAD.encode(format!("{{\"a\":\"{text}\"}}")))),
    ("base64 in base64", |text| URL_SAFE.encode(STANDARD_NO_PAD.encode(format!("it is {text} now")))),
    ("wrapped base64", wrapped),
];

/// One secret of each shape.
fn secrets() -> Vec<String> {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "aB3dE5gH7jK9mN1p".repeat(4));
    let more =
        [key, format!("123456789:AA{}", "aB3dE5gH7jK9mN1pQ".repeat(2)), format!("Bearer {}", "aB3dE5gH7jK9".repeat(3))];
    shape_samples().into_iter().map(|(_, sample)| sample).chain(more).collect()
}

/// Fails unless the disguised secret is gone from the text, and what surrounds it is not.
fn assert_gone(name: &str, secret: &str, disguised: &str) {
    let text = format!("It is \u{1F600} {disguised} \u{1F600} here.\n");
    let clean = redact_text(&text);
    let inner = clean.strip_prefix("It is \u{1F600} ").and_then(|rest| rest.strip_suffix(" \u{1F600} here.\n"));
    let inner = inner.unwrap_or_else(|| panic!("{name} of {secret}: {text:?} lost its surroundings: {clean:?}"));
    assert!(inner.contains(MASK), "{name} of {secret}: {text:?} stayed {clean:?}");
    // Whatever remains is the wrapping.
    let kept = inner.len().saturating_sub(MASK.len());
    let wrapping = disguised.len().saturating_sub(secret.len()).min(140);
    assert!(kept <= wrapping, "{name} of {secret}: {kept} bytes of {disguised:?} remain in {inner:?}");
    for view in [inner.to_owned(), VisibleText::of_text(inner).map(|seen| seen.text).unwrap_or_default()] {
        assert!(!view.contains(&secret[secret.len() - 8..]), "{name} of {secret}: {inner:?}");
    }
    assert_eq!(redact_text(&clean), clean, "{name} of {secret}: masking twice is masking once");
}

#[test]
fn every_shape_is_masked_in_every_disguise() {
    for secret in secrets() {
        for (name, disguise) in DISGUISES {
            assert_gone(name, &secret, &disguise(&secret));
        }
    }
}

#[test]
fn every_shape_is_masked_in_every_disguise_within_json() {
    for secret in secrets() {
        for (name, disguise) in DISGUISES {
            let disguised = disguise(&secret);
            let clean = mask_secrets(json!({"a": [{"b": disguised}], disguised.as_str(): 1, "c": "kept"}));
            assert_eq!(clean["c"], "kept");
            assert!(clean["a"][0]["b"].as_str().is_some_and(|text| text.contains(MASK)), "{name}: {clean}");
            let fields: Vec<_> = clean.as_object().into_iter().flat_map(|fields| fields.keys()).collect();
            assert!(fields.iter().any(|field| field.contains(MASK)), "{name} as a name: {clean}");
        }
    }
}

/// Whether a reader still reads what the second disguise makes of this text. Sequences that are divided, or put within
/// another, are no sequences any more, and base64 is decoded twice only.
fn is_readable(text: &str, first: &str, second: &str) -> bool {
    let divides = ["within", "width", "joiners", "combining", "hyphens", "marks", "tags", "control", "overstriking"];
    let encloses = ["the address of a link", "an unfinished title"];
    let has_sequences = text.contains(['\x1b', '\u{9b}', '\u{8}']);
    let is_plain = |c: char| c == '\n' || c.is_ascii() && !c.is_control();
    let is_divided = divides.iter().any(|word| second.contains(word)) || encloses.contains(&second);
    let is_struck = second.contains("overstriking") && !text.chars().all(is_plain);
    let encodes = |name: &str| name.contains("base64");
    let breaks = second.contains("Markdown") || second.contains("overstriking") || second == "colours within";
    !(has_sequences && is_divided || is_struck || encodes(first) && (encodes(second) || breaks))
}

/// How a secret survives a pair of disguises; `None` if it does not.
fn survival(secret: &str, (first, inner): Disguise, (second, outer): Disguise) -> Option<String> {
    let text = inner(secret);
    if !is_readable(&text, first, second) {
        return None;
    }
    let disguised = outer(&text);
    let clean = redact_text(&disguised).into_owned();
    let is_gone = clean.contains(MASK) && !clean.contains(&secret[secret.len() - 8..]);
    let survives = !is_gone || redact_text(&clean) != clean;
    survives.then(|| format!("{first} in {second} of {secret}: {disguised:?} became {clean:?}"))
}

/// Each pair with some of the shapes; together the pairs meet every shape often.
#[test]
fn every_shape_is_masked_in_pairs_of_disguises() {
    let secrets = secrets();
    let mut survivals = Vec::new();
    for (at, first) in DISGUISES.into_iter().enumerate() {
        for (number, second) in DISGUISES.into_iter().enumerate() {
            for step in 0..3 {
                let secret = &secrets[(at * 41 + number * 7 + step * 29) % secrets.len()];
                survivals.extend(survival(secret, first, second));
            }
        }
    }
    assert!(survivals.is_empty(), "{} pairs: {:#?}", survivals.len(), &survivals[..survivals.len().min(12)]);
}

#[test]
fn a_secret_right_after_letters_of_a_hidden_sequence_is_masked() {
    for secret in secrets() {
        for before in ["MY_", "KEY=", "a\u{200b}", "x\x1b[0m", "3\u{2060}", "\\t", "%0A", "é", "日本"] {
            let clean = redact_text(&format!("{before}{secret}")).into_owned();
            assert!(clean.contains(MASK) && !clean.contains(&secret[secret.len() - 8..]), "{before}{secret}: {clean}");
        }
    }
}

#[test]
fn usual_ways_to_name_a_password_are_masked() {
    for (text, clean) in [
        ("curl -u admin:hunter2 https://example.com/x", "curl -u admin:[redacted] https://example.com/x"),
        (
            "curl -sS --user 'admin:correct horse' https://example.com",
            "curl -sS --user 'admin:[redacted]' https://example.com",
        ),
        ("mysql -u root -psecret shop", "mysql -u root -p[redacted] shop"),
        ("sshpass -p secret ssh a@b", "sshpass -p [redacted] ssh a@b"),
        ("deploy --password secret --verbose", "deploy --password [redacted] --verbose"),
        ("deploy --api-key=abcdef", "deploy --api-key=[redacted]"),
        ("PGPASSWORD=secret psql -h db", "PGPASSWORD=[redacted] psql -h db"),
        ("docker login -u bot -p hunter2 registry", "docker login -u bot -p [redacted] registry"),
        ("redis-cli -a secret ping; mysqldump -psecret2 x", "redis-cli -a [redacted] ping; mysqldump -p[redacted] x"),
        ("{\"command\": \"curl -u admin:hunter2 x\"}", "{\"command\": \"curl -u admin:[redacted] x\"}"),
        ("{\"dbPassword\": \"short\"}", "{\"dbPassword\": \"[redacted]\"}"),
        ("<password>short</password>", "<password>[redacted]</password>"),
        ("Cookie: session=abc; theme=dark\nNext: x", "Cookie: [redacted]\nNext: x"),
        ("Authorization: Basic YTpi", "Authorization: [redacted]"),
        ("Authorization: token abcd", "Authorization: token [redacted]"),
        ("https://example.com/?access_token=abcdef&page=2", "https://example.com/?access_token=[redacted]&page=2"),
        ("password=hunter2 host=db", "password=[redacted] host=db"),
        ("host=db password=secret user=app", "host=db password=[redacted] user=app"),
        ("Server=db;User Id=sa;Password=secret;", "Server=db;User Id=sa;Password=[redacted];"),
    ] {
        assert_eq!(redact_text(text), clean);
    }
}

#[test]
fn fields_with_usual_names_of_secrets_are_masked_and_others_are_not() {
    let secret = json!({
        "accessToken": "x", "clientSecret": "y", "dbPassword": "z", "githubToken": "a", "pwd": "b", "pass": "c",
        "env": [{"name": "DB_PASSWORD", "value": "d"}], "password": 12_345_678,
    });
    let clean = mask_secrets(secret);
    for field in ["accessToken", "clientSecret", "dbPassword", "githubToken", "pwd", "pass", "password"] {
        assert_eq!(clean[field], MASK, "{field}");
    }
    assert_eq!(clean["env"], json!([{"name": "DB_PASSWORD", "value": MASK}]));
    assert_eq!(
        mask_secrets(json!([["curl", "-u", "admin:hunter2", "x"], ["deploy", "--password", "secret"], ["a", "b"]])),
        json!([["curl", "-u", "admin:[redacted]", "x"], ["deploy", "--password", MASK], ["a", "b"]])
    );
    let harmless = json!({
        "max_tokens": "5", "tokens_input": "x", "token_count": "many", "secretary": "Ada", "pwd": "/home/ada/app",
        "tokens": {"input": 1, "cache": {"read": 2}}, "bypass": "yes", "key": "value", "author": "Ada", "pass": 3,
    });
    assert_eq!(mask_secrets(harmless.clone()), harmless);
}

#[test]
fn harmless_code_and_prose_stay_unchanged() {
    for text in [
        "curl -u $USER:$PASS https://example.com",
        "docker run -p 8080:80 -u 1000:1000 image",
        "use the option --password to set it",
        "PWD=/home/ada/app",
        "MAX_TOKENS=4096 TOKENS=12",
        "connect(password=password, token=token)",
        "const token = process.env.TOKEN;",
        "TOKEN=$(cat token.txt)",
        "assert_eq!(a[1], b[2m]); x[31] = y;",
        "C:\\new\\table\\bin\\x64 and \\d+\\s*",
        "100% of 50%, a&b, &amp; &lt;p&gt;",
        "\x1b[31mred\x1b[0m and \u{202e}turned",
        "if password == other.password { return }",
        "the token: it is short",
    ] {
        assert_eq!(redact_text(text), text);
    }
}

#[test]
fn names_of_fields_that_become_equal_are_kept_apart() {
    let secret = |letter: &str| format!("ghp_{}", letter.repeat(36));
    let clean = mask_secrets(json!({secret("a"): 1, secret("b"): 2, "c": 3}));
    let mut values: Vec<_> = clean.as_object().into_iter().flatten().map(|(_, value)| value.as_i64()).collect();
    values.sort_unstable();
    assert_eq!(values, [Some(1), Some(2), Some(3)], "{clean}");
    assert!(!clean.to_string().contains("aaaa"), "{clean}");
    assert_eq!(mask_secrets(clean.clone()), clean);
    assert_eq!(Value::Null, mask_secrets(Value::Null));
}
