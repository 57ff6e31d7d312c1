//! Names whose value is a secret: of fields, variables, options and headers.

/// What a name promises of its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SecretName {
    /// A password, which may be short and readable.
    Password,
    /// `pass` and `pwd`, which also name other things.
    Short,
    /// A token or a key, which machines produce.
    Token,
    /// Several tokens, or a number of them.
    Tokens,
    Cookie,
    Authorization,
}

/// The longest name that is examined, in bytes.
pub(super) const MAX_NAME: usize = 128;

/// Words after which the value is still the secret.
const SUFFIXES: [&str; 14] = [
    "value",
    "string",
    "text",
    "plain",
    "plaintext",
    "raw",
    "confirm",
    "confirmation",
    "old",
    "new",
    "current",
    "base64",
    "b64",
    "env",
];

/// Words before `token` that name a symbol of a model or a quantity.
const QUANTITIES: [&str; 39] = [
    "max",
    "min",
    "maximum",
    "minimum",
    "total",
    "num",
    "number",
    "n",
    "count",
    "input",
    "output",
    "prompt",
    "completion",
    "reasoning",
    "thinking",
    "cached",
    "cache",
    "read",
    "write",
    "used",
    "remaining",
    "limit",
    "budget",
    "special",
    "stop",
    "sampled",
    "avg",
    "average",
    "mean",
    "per",
    "eos",
    "bos",
    "pad",
    "unk",
    "sep",
    "cls",
    "first",
    "last",
    "of",
];

/// What `pass` may follow in the name of a password.
const PASS_OWNERS: [&str; 22] = [
    "db", "database", "user", "admin", "smtp", "mail", "email", "imap", "ftp", "root", "mysql", "pg", "postgres",
    "redis", "http", "proxy", "login", "my", "ssh", "sudo", "basic", "auth",
];

/// Words that run together with the word before them, such as `PGPASSWORD`.
const PASSWORDS: [&str; 4] = ["password", "passwd", "passphrase", "passcode"];
const KEYS: [&str; 11] =
    ["api", "access", "private", "secret", "signing", "encryption", "account", "master", "client", "auth", "app"];
const TOKEN_OWNERS: [&str; 18] = [
    "auth", "access", "refresh", "id", "bearer", "session", "csrf", "xsrf", "api", "github", "gitlab", "npm", "bot",
    "user", "personal", "device", "security", "oauth",
];
const SECRET_OWNERS: [&str; 9] = ["client", "app", "api", "shared", "consumer", "oauth", "jwt", "webhook", "secret"];

/// What the value of a field, variable, option or header with this name is, if it is a secret.
pub(super) fn secret_name(name: &[u8]) -> Option<SecretName> {
    let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= MAX_NAME && name.is_ascii())?;
    if !may_be_secret(name) {
        return None;
    }
    let words = split_words(name);
    let mut words: &[String] = &words;
    while let [first, .., last] = words
        && !first.is_empty()
        && (SUFFIXES.contains(&last.as_str()) || last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        words = &words[..words.len() - 1];
    }
    let (last, before) = words.split_last()?;
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    name_of_words(last, before.last().map(String::as_str))
}

/// A quick check that most names fail.
fn may_be_secret(name: &str) -> bool {
    const PARTS: [&[u8]; 8] = [b"pass", b"pw", b"secret", b"credential", b"token", b"key", b"cookie", b"author"];
    let contains = |part: &&[u8]| name.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    PARTS.iter().any(contains)
}

fn name_of_words(last: &str, before: Option<&str>) -> Option<SecretName> {
    let is_plural = last.len() > 3 && last.ends_with('s') && !last.ends_with("ss");
    let last = if is_plural { &last[..last.len() - 1] } else { last };
    let follows = |words: &[&str]| before.is_some_and(|before| words.contains(&before));
    let ends_in = |end: &str, owners: &[&str]| last.strip_suffix(end).is_some_and(|owner| owners.contains(&owner));
    match last {
        "secret" | "credential" | "pw" => Some(SecretName::Password),
        "pwd" => Some(SecretName::Short),
        "pass" if before.is_none() || follows(&PASS_OWNERS) => Some(SecretName::Short),
        "token" if follows(&QUANTITIES) => None,
        "token" if is_plural => Some(SecretName::Tokens),
        "token" | "apikey" | "accesskey" | "privatekey" | "secretkey" => Some(SecretName::Token),
        "key" if follows(&KEYS) => Some(SecretName::Token),
        "cookie" => Some(SecretName::Cookie),
        "authorization" => Some(SecretName::Authorization),
        _ if PASSWORDS.iter().any(|word| last.ends_with(word)) => Some(SecretName::Password),
        _ if ends_in("pwd", &PASS_OWNERS) || ends_in("pass", &PASS_OWNERS) => Some(SecretName::Short),
        _ if ends_in("token", &TOKEN_OWNERS) || ends_in("key", &KEYS) => Some(SecretName::Token),
        _ if ends_in("secret", &SECRET_OWNERS) => Some(SecretName::Password),
        _ => None,
    }
}

/// `DB_PASSWORD`, `db-password`, `dbPassword` and `DBPassword` are `db` and `password`.
fn split_words(name: &str) -> Vec<String> {
    let bytes = name.as_bytes();
    let mut words = vec![String::new()];
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + 1);
        let begins = byte.is_ascii_uppercase()
            && (before.is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit())
                || before.is_some_and(|before| before.is_ascii_uppercase())
                    && after.is_some_and(u8::is_ascii_lowercase));
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "accessToken",
            "clientSecret",
            "dbPassword",
            "githubToken",
            "pwd",
            "pass",
            "PGPASSWORD",
            "DB_PASSWORD",
            "db-password",
            "x-api-key",
            "APIKey",
            "apiKey",
            "api_keys",
            "SECRET_KEY",
            "aws_secret_access_key",
            "authToken",
            "password2",
            "userPassword",
            "smtpPass",
            "refresh_token",
            "Authorization",
            "Set-Cookie",
            "credentials",
            "passwordConfirmation",
            "GITHUB_TOKEN",
            "mysqlpassword",
            "privateKey",
            "signingKey",
            "dbpass",
        ] {
            assert!(secret_name(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn names_of_quantities_and_other_things_are_no_secrets() {
        for name in [
            "max_tokens",
            "maxTokens",
            "tokens_input",
            "token_count",
            "tokenCount",
            "secretary",
            "tokenizer",
            "bypass",
            "compass",
            "render_pass",
            "password_hash_file",
            "key",
            "keyboard",
            "monkey",
            "primaryKey",
            "eos_token",
            "token_type",
            "secret-santa",
            "author",
            "passed",
            "passing",
            "input_tokens",
            "",
            "_",
            "s",
        ] {
            assert_eq!(secret_name(name.as_bytes()), None, "{name}");
        }
    }
}
