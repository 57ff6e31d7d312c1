//! Where an agent works: a git repository or a directory on the agent's own disk.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    kernel::error::{Error, Result, ValidationErrors},
    platform::http_client::AllowedDestinations,
};

/// The place where the agent works. A repository is cloned for each session; two sessions of a tenant never run at
/// once in one directory without a repository.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// An https or ssh git URL to be cloned, such as `https://git.example.com/team/app.git` or
    /// `git@host:team/app.git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub repository: Option<String>,
    /// The branch, tag or commit to start from. Default: the default branch of the repository.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub reference: Option<String>,
    /// With a repository, the relative folder to work in; without one, an absolute directory on the agent's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub directory: Option<String>,
}

impl Workspace {
    /// Rejects invalid workspaces, and values that a shell or git could misinterpret.
    pub fn check(&self, refusals: &mut ValidationErrors) {
        if self.repository.is_none() && self.directory.is_none() {
            refusals.add("workspace", "names neither a repository nor a directory");
        }
        if let Some(repository) = &self.repository
            && let Err(message) = check_repository(repository)
        {
            refusals.add("workspace.repository", message);
        }
        if let Some(reference) = &self.reference
            && !is_reference(reference)
        {
            refusals.add("workspace.ref", "is not a git branch, tag or commit name");
        }
        if let Some(directory) = &self.directory
            && let Err(message) = check_directory(directory, self.repository.is_some())
        {
            refusals.add("workspace.directory", message);
        }
    }

    /// Rejects repositories at addresses that users may not reach through us. Host names are not resolved here: the
    /// machine of the agent fetches them.
    pub fn check_place(&self, allowed: &AllowedDestinations) -> Result<()> {
        let Some(repository) = &self.repository else { return Ok(()) };
        check_repository_place(repository, allowed).map_err(|why| Error::invalid_field("workspace.repository", why))
    }

    /// The key of the exclusive lock on a directory of the agent's machine: the SHA-256 of the place, in hexadecimal.
    /// Every spelling of a place has the same key. `None` with a repository, of which each session has a clone.
    pub fn lock_key(&self) -> Option<String> {
        if self.repository.is_some() {
            return None;
        }
        let directory = self.directory.as_deref().map(normalize_path).unwrap_or_default();
        Some(hex::encode(Sha256::digest(directory.trim_end_matches('/'))))
    }
}

/// Rejects a repository at an address that users may not reach through us. Its host name is not resolved.
pub(crate) fn check_repository_place(url: &str, allowed: &AllowedDestinations) -> Result<(), &'static str> {
    split_url(url).ok_or("names no host").and_then(|(host, port)| allowed.check_host(host, port))
}

/// A path without redundant parts such as `//` and `/./`.
fn normalize_path(path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// The host and port of a repository URL, in each of the accepted forms.
fn split_url(url: &str) -> Option<(&str, Option<u16>)> {
    let (rest, ends, usual) = match (url.strip_prefix("https://"), url.strip_prefix("ssh://")) {
        (Some(rest), _) => (rest, '/', 443),
        (None, Some(rest)) => (rest.split_once('@').map_or(rest, |(_, rest)| rest), '/', 22),
        // user@host:path; an IPv6 address stands in brackets.
        (None, None) => (url.split_once('@')?.1, ':', 22),
    };
    let (host, rest) = match rest.starts_with('[').then(|| rest.find(']')).flatten() {
        Some(end) => rest.split_at(end + 1),
        None => rest.split_at(rest.find([':', '/'])?),
    };
    let port = rest.strip_prefix(':').filter(|_| ends == '/').and_then(|rest| rest.split('/').next()?.parse().ok());
    Some((host, Some(port.unwrap_or(usual))))
}

pub(crate) fn check_repository(url: &str) -> Result<(), &'static str> {
    const FORM: &str =
        "must be an https:// or ssh:// git URL, or user@host:path, without credentials, of at most 2048 characters";
    let plain = url
        .chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '`' | '<' | '>' | '{' | '}' | '|' | '^'));
    if url.len() > 2048 || !plain {
        return Err(FORM);
    }
    let host_and_path = |rest: &str, separator: char| -> bool {
        rest.split_once(separator).is_some_and(|(host, path)| is_host(host) && !path.trim_matches('/').is_empty())
    };
    let good = if let Some(rest) = url.strip_prefix("https://") {
        host_and_path(rest, '/')
    } else if let Some(rest) = url.strip_prefix("ssh://") {
        host_and_path(rest.split_once('@').map_or(rest, |(user, host)| if is_user(user) { host } else { "" }), '/')
    } else if let Some((user, rest)) = url.split_once('@') {
        is_user(user) && host_and_path(rest, ':')
    } else {
        false
    };
    if good { Ok(()) } else { Err(FORM) }
}

fn is_user(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !text.starts_with('-')
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']' | '_'))
}

/// The rules of git's check-ref-format that keep a name from being an option or a range.
pub(crate) fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.to_ascii_lowercase().ends_with(".lock")
        && !text.contains("..")
        && !text.contains("//")
        && !text.contains("@{")
        && text.chars().all(|c| {
            c.is_ascii_graphic()
                && !matches!(
                    c,
                    '~' | '^'
                        | ':'
                        | '?'
                        | '*'
                        | '['
                        | '\\'
                        | '"'
                        | '\''
                        | '`'
                        | '$'
                        | '&'
                        | ';'
                        | '<'
                        | '>'
                        | '|'
                        | '('
                        | ')'
                        | '!'
                        | '{'
                        | '}'
                        | '#'
                )
        })
}

pub(crate) fn check_directory(path: &str, in_repository: bool) -> Result<(), &'static str> {
    if path.is_empty() || path.chars().count() > 1024 || path.chars().any(char::is_control) {
        return Err("must have 1 to 1024 printable characters");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("must not hold `..`");
    }
    match (in_repository, path.starts_with('/')) {
        (true, true) => Err("must be relative to the repository"),
        (true, false) if path.split('/').any(|part| part == ".git") || path.starts_with('-') => {
            Err("is not a folder to work in")
        }
        (false, false) => Err("must be absolute when no repository is named"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_key_however_it_is_spelled() {
        let folder = |directory: &str, reference: Option<&str>| {
            let (reference, directory) = (reference.map(str::to_owned), Some(directory.to_owned()));
            Workspace { reference, directory, ..Workspace::default() }.lock_key()
        };
        let one = folder("/srv/app", None);
        for other in ["/srv/app/", "/srv//app", "/srv/./app", "/srv/app/.", "//srv/app"] {
            assert_eq!(folder(other, None), one, "{other}");
        }
        assert_eq!(folder("/srv/app", Some("main")), one);
        assert_ne!(folder("/srv/app2", None), one);
        let repository = Some("https://example.org/a.git".to_owned());
        let cloned = Workspace { repository, reference: Some("main".to_owned()), directory: Some("a".to_owned()) };
        assert!(one.is_some() && cloned.lock_key().is_none(), "each session has a clone of its own");
    }

    fn refused(workspace: &Workspace) -> bool {
        let mut refusals = ValidationErrors::default();
        workspace.check(&mut refusals);
        refusals.into_result().is_err()
    }

    #[test]
    fn https_and_ssh_repositories_are_taken_and_others_refused() {
        for (url, good) in [
            ("https://git.example.com/team/app.git", true),
            ("ssh://git@git.example.com:2222/team/app.git", true),
            ("git@git.example.com:team/app.git", true),
            ("http://git.example.com/team/app.git", false),
            ("file:///etc", false),
            ("ext::sh -c whoami", false),
            ("https://user:secret@git.example.com/app", false),
            ("--upload-pack=touch", false),
            ("ssh://-oProxyCommand=x/app", false),
            ("https://git.example.com/", false),
            ("https://git.example.com/a b", false),
        ] {
            let workspace = Workspace { repository: Some(url.to_owned()), ..Workspace::default() };
            assert_eq!(!refused(&workspace), good, "{url}");
        }
    }

    #[test]
    fn a_repository_at_a_closed_address_is_refused_in_every_form() {
        let allowed: AllowedDestinations = "git.internal:8443, 10.7.0.0/16".parse().unwrap();
        for (url, good) in [
            ("https://git.example.com/team/app.git", true),
            ("https://10.7.0.1/app.git", true),
            ("https://127.0.0.1/app.git", false),
            ("https://0x7f.1:8443/app.git", false),
            ("https://[::1]/app.git", false),
            ("https://localhost/app.git", false),
            ("https://169.254.169.254/latest/meta-data", false),
            ("ssh://git@10.0.0.1:22/app.git", false),
            ("ssh://[fd00:ec2::254]:22/app.git", false),
            ("git@192.168.1.1:app.git", false),
            ("git@[::ffff:127.0.0.1]:app.git", false),
            ("git@git.example.com:app.git", true),
        ] {
            let workspace = Workspace { repository: Some(url.to_owned()), ..Workspace::default() };
            assert!(!refused(&workspace), "{url} has the form of a repository");
            assert_eq!(workspace.check_place(&allowed).is_ok(), good, "{url}");
        }
    }

    #[test]
    fn references_and_directories_cannot_leave_their_place() {
        for (reference, good) in
            [("main", true), ("feature/a-b", true), ("-x", false), ("a..b", false), ("a b", false), ("$(id)", false)]
        {
            let workspace = Workspace {
                repository: Some("https://h/r".to_owned()),
                reference: Some(reference.to_owned()),
                directory: None,
            };
            assert_eq!(!refused(&workspace), good, "{reference}");
        }
        for (repository, directory, good) in [
            (None, "/srv/app", true),
            (None, "srv/app", false),
            (None, "/srv/../etc", false),
            (Some("https://h/r"), "crates/api", true),
            (Some("https://h/r"), "/etc", false),
            (Some("https://h/r"), "a/.git/hooks", false),
        ] {
            let workspace = Workspace {
                repository: repository.map(str::to_owned),
                reference: None,
                directory: Some(directory.to_owned()),
            };
            assert_eq!(!refused(&workspace), good, "{directory}");
        }
    }
}
