//! Secrets taken out of what is kept or shown: by the name of a field, by the look of a text, by what a text says before.
//!
//! Applied to the log, to the audit log, and to what agents say (events, questions, outcomes). Not to diffs, files and
//! artifacts, which are the work itself and must stay exact, and not to what people send, which the agent is to get as it
//! was meant.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &str = "[redacted]";

/// Nothing shorter can hold a secret that we know.
const SHORTEST: usize = 8;

/// Names of fields whose value is a secret, whatever it looks like.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i-u)(^|[_.-])(password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|authorization|credential|cookie)s?$",
    )
    .expect("a pattern")
});

/// Kinds of secrets that are known by their look.
const LOOKS: [(&str, &str); 24] = [
    ("ioc", r"\bioca?_[a-z0-9]{1,16}_[0-9a-f]{32}_[0-9a-f]{64}\b"),
    ("openai, anthropic", r"\bsk-[A-Za-z0-9_-]{16,}"),
    ("github", r"\bgh[pousr]_[A-Za-z0-9]{20,}\b"),
    ("github, fine-grained", r"\bgithub_pat_[A-Za-z0-9_]{20,}\b"),
    ("gitlab", r"\bgl(?:pat|ptt|rt|dt|ft|soat|cbt)-[A-Za-z0-9_-]{16,}"),
    ("slack", r"\bxox[abeprs](?:-|\.xox[bp]-)[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Za-z0-9-]{10,}"),
    ("slack webhook", r"\bhooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/+_-]{20,}"),
    ("aws", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("google", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("google oauth", r"\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    ("stripe", r"\b(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{20,}"),
    ("npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("crates.io", r"\bcio[A-Za-z0-9]{32}\b"),
    ("hugging face", r"\bhf_[A-Za-z0-9]{30,}\b"),
    ("sendgrid", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}"),
    ("digitalocean", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    ("databricks", r"\bdapi[0-9a-f]{32}\b"),
    ("shopify, linear", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b|\blin_api_[A-Za-z0-9]{32,}\b"),
    ("telegram", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    ("azure", r"\bAccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    (
        "private key",
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*(?:\s|\\[nr])*[A-Za-z0-9+/=]*(?:\s|\\[nr])*(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    ("authorization", r"(?i:\b(?:bearer|basic)\s+[A-Za-z0-9._~+/-]{16,}=*)"),
];

static LOOK: LazyLock<Regex> = LazyLock::new(|| {
    let all: Vec<_> = LOOKS.iter().map(|(_, look)| *look).collect();
    Regex::new(&format!("(?-u){}", all.join("|"))).expect("patterns")
});

/// A password in a URL, and a value that is said to be a secret: what stands before it is kept.
static TOLD: LazyLock<Regex> = LazyLock::new(|| {
    // What may stand there: no blank, quote, slash, colon or @.
    let url = r"(?P<before>\b[a-z][a-z0-9+.-]*://[!#-&(-.0-9;-?A-~]*:)[!#-&(-.0-9;-?A-~]{3,}@";
    let name =
        r"(?i:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?secret)";
    let value = r"(?P<value>[A-Za-z0-9+/_.~!@#$%^&*-]{12,}={0,2})";
    let said = format!(r"(?P<name>\b[A-Za-z0-9_.-]*{name}\\?[\x22']?\s*(?:=|:|=>)\s*\\?[\x22']?){value}");
    Regex::new(&format!("(?-u){url}|{said}")).expect("patterns")
});

/// The same kinds, each by its name as one word, to tell which one a secret is.
static KINDS: LazyLock<Vec<(String, Regex)>> = LazyLock::new(|| {
    let word = |name: &str| name.replace(", ", "_").replace(['-', ' ', '.'], "_");
    let whole = |look: &str| Regex::new(&format!("^(?-u:{look})$")).expect("a pattern");
    LOOKS.iter().map(|(name, look)| (word(name), whole(look))).collect()
});

/// Told of each secret that is taken out, by its kind.
pub type Note<'a> = &'a mut dyn FnMut(&str);

/// The text without secrets.
pub fn text(text: &str) -> Cow<'_, str> {
    noting(text, &mut |_| {})
}

/// As [`text`], and tells what was taken out.
pub fn noting<'a>(text: &'a str, note: Note<'_>) -> Cow<'a, str> {
    if text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    let looked = LOOK.replace_all(text, |found: &Captures<'_>| {
        let kind = KINDS.iter().find(|(_, look)| look.is_match(&found[0]));
        note(kind.map_or("secret", |(name, _)| name));
        MASK
    });
    match looked {
        Cow::Borrowed(same) => TOLD.replace_all(same, |found: &Captures<'_>| told(found, note)),
        Cow::Owned(clean) => match TOLD.replace_all(&clean, |found: &Captures<'_>| told(found, note)) {
            Cow::Owned(cleaner) => Cow::Owned(cleaner),
            Cow::Borrowed(_) => Cow::Owned(clean),
        },
    }
}

/// As [`text`], of a text that is ours.
pub fn owned(found: String) -> String {
    match text(&found) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => found,
    }
}

fn told(found: &Captures<'_>, note: Note<'_>) -> String {
    if let Some(before) = found.name("before") {
        note("url_password");
        return format!("{}{MASK}@", before.as_str());
    }
    let (name, value) = (&found["name"], &found["value"]);
    if !is_random(value) {
        return found[0].to_owned();
    }
    note("named_secret");
    format!("{name}{MASK}")
}

/// Whether a value is no word, call, variable or id: it mixes letters with digits, and is no uuid with its hyphens.
fn is_random(value: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !(value.len() == 36 && uuid::Uuid::parse_str(value).is_ok())
}

/// The value without secrets: by the names of its fields, and by the look of its texts.
pub fn masked(mut value: Value) -> Value {
    mask(&mut value, &mut |_| {});
    value
}

/// As [`masked`], and tells what was taken out.
pub fn mask(value: &mut Value, note: Note<'_>) {
    match value {
        Value::String(found) => {
            if let Cow::Owned(clean) = noting(found, note) {
                *found = clean;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, note)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if NAMES.is_match(name) && (value.is_string() || value.is_object() || value.is_array()) {
                    note("named_secret");
                    *value = Value::String(MASK.to_owned());
                } else {
                    mask(value, note);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
