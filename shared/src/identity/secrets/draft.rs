//! Secrets that callers send, parsed once: a refusal names every field that breaks a rule, and never quotes a value.

use crate::kernel::{
    error::{Error, Result, ValidationErrors},
    text::parse_line,
    validation::parse_variable_name,
};

use super::{MAX_VALUE_BYTES, ModelProvider, SecretKind, SecretPhase, SecretUse};

/// The name to log in with at a git host where the secret names none; GitHub and GitLab take it with a token.
const DEFAULT_GIT_USERNAME: &str = "x-access-token";

/// A secret, as sent. It holds a value, so it has no `Debug`.
pub struct SecretInput {
    pub value: String,
    pub phase: Option<SecretPhase>,
    pub kind: Option<SecretKind>,
    pub host: Option<String>,
    pub username: Option<String>,
    pub provider: Option<ModelProvider>,
}

/// A secret within all limits. It holds a value, so it has no `Debug`.
pub struct SecretDraft {
    pub name: String,
    pub value: String,
    pub phase: SecretPhase,
    pub used_as: SecretUse,
}

impl SecretDraft {
    /// Parses the input for the secret with a name, and reports all errors at once.
    pub fn parse(name: &str, input: SecretInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let refused = &mut refusals;
        let name = refused.check("name", parse_variable_name(name));
        if !(1..=MAX_VALUE_BYTES).contains(&input.value.len()) || input.value.contains('\0') {
            refused.add("value", format!("must have 1 to {MAX_VALUE_BYTES} bytes, none of them NUL"));
        }
        let kind = input.kind.unwrap_or_default();
        if kind != SecretKind::Plain && input.value.contains(['\n', '\r']) {
            refused.add("value", "must be one line");
        }
        let used_as = parse_use(refused, kind, input.host, input.username, input.provider);
        refusals.into_result()?;
        let draft = name.zip(used_as).map(|(name, used_as)| Self {
            name,
            value: input.value,
            phase: input.phase.unwrap_or_default(),
            used_as,
        });
        draft.ok_or_else(|| Error::internal("a secret without a refusal has all its fields"))
    }
}

fn parse_use(
    refused: &mut ValidationErrors,
    kind: SecretKind,
    host: Option<String>,
    username: Option<String>,
    provider: Option<ModelProvider>,
) -> Option<SecretUse> {
    if kind != SecretKind::Git {
        for (field, sent) in [("host", host.is_some()), ("username", username.is_some())] {
            if sent {
                refused.add(field, "belongs to a secret of kind git");
            }
        }
    }
    if kind != SecretKind::Provider && provider.is_some() {
        refused.add("provider", "belongs to a secret of kind provider");
    }
    match kind {
        SecretKind::Plain => Some(SecretUse::Plain),
        SecretKind::Git => {
            let host = refused.check("host", parse_host(host.unwrap_or_default()));
            let username = username.unwrap_or_else(|| DEFAULT_GIT_USERNAME.to_owned());
            let username = refused.check("username", parse_username(username));
            host.zip(username).map(|(host, username)| SecretUse::Git { host, username })
        }
        SecretKind::Provider => {
            let provider = provider.ok_or_else(|| "must be anthropic or openai".to_owned());
            refused.check("provider", provider).map(SecretUse::Provider)
        }
    }
}

/// A host with or without a port, as it stands in the URL of a repository.
fn parse_host(text: String) -> Result<String, String> {
    let (name, port) = text.split_once(':').map_or((text.as_str(), None), |(name, port)| (name, Some(port)));
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let fits = (1..=250).contains(&name.len())
        && name.bytes().all(is_name)
        && !name.starts_with(['-', '.'])
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if fits {
        return Ok(text);
    }
    Err("must be the host of the repositories, such as github.com, in lower case, with a port if they have one"
        .to_owned())
}

fn parse_username(text: String) -> Result<String, String> {
    let text = parse_line(text, 1..=200)?;
    if text.contains([':', '@', '/']) {
        return Err("must not hold : @ or /".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(value: &str) -> SecretInput {
        SecretInput { value: value.to_owned(), phase: None, kind: None, host: None, username: None, provider: None }
    }

    fn refused_fields(name: &str, input: SecretInput) -> Vec<String> {
        let error = SecretDraft::parse(name, input).err().expect("a refusal");
        error.fields().iter().map(|field| field.field.clone()).collect()
    }

    #[test]
    fn a_secret_is_plain_and_for_the_set_up_unless_it_says_otherwise() {
        let draft = SecretDraft::parse("TOKEN", input("a value")).unwrap();
        assert_eq!((draft.phase, draft.used_as), (SecretPhase::Setup, SecretUse::Plain));
    }

    #[test]
    fn every_fault_of_a_secret_is_named_and_no_value_is_quoted() {
        let wrong = SecretInput {
            kind: Some(SecretKind::Git),
            username: Some("a:b".to_owned()),
            provider: Some(ModelProvider::Openai),
            ..input("two\nlines")
        };
        let error = SecretDraft::parse("2X", wrong).err().unwrap();
        let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["name", "value", "provider", "host", "username"]);
        assert!(!format!("{error:?}").contains("two"), "{error:?}");
        let provider = SecretInput { kind: Some(SecretKind::Provider), host: Some("a.org".to_owned()), ..input("x") };
        assert_eq!(refused_fields("KEY", provider), ["host", "provider"]);
    }

    #[test]
    fn the_bounds_of_a_value_hold_at_their_edge_and_not_one_beyond() {
        assert!(SecretDraft::parse("A", input(&"x".repeat(65_536))).is_ok());
        assert_eq!(refused_fields("A", input(&"x".repeat(65_537))), ["value"]);
        assert_eq!(refused_fields("A", input("")), ["value"]);
        assert_eq!(refused_fields("A", input("a\0b")), ["value"]);
    }

    #[test]
    fn a_git_secret_is_for_one_host() {
        for (host, is_good) in [
            ("github.com", true),
            ("git.example.com:8443", true),
            ("localhost", true),
            ("GitHub.com", false),
            ("https://github.com", false),
            ("github.com/team", false),
            ("a:0", false),
            ("a:b", false),
            ("", false),
        ] {
            let git = SecretInput { kind: Some(SecretKind::Git), host: Some(host.to_owned()), ..input("x") };
            assert_eq!(SecretDraft::parse("GIT", git).is_ok(), is_good, "{host}");
        }
    }
}
