//! Addresses of repositories: which ones git may be given, and how a submodule's address follows from its parent's.

use std::path::{Path, PathBuf};

use super::{error::WorkspaceError, settings::WorkspaceSettings};

/// How a repository is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    File,
    Http,
    Https,
    Ssh,
}

/// An address that git may be given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RepositoryUrl {
    text: String,
    protocol: Protocol,
}

impl RepositoryUrl {
    /// Reads an address. Everything that is not `https:`, `ssh:` (or `user@host:path`), `file:`, an absolute path, or
    /// `http:` where it is allowed, is refused: git has transports that run programs.
    pub(super) fn parse(text: &str, settings: &WorkspaceSettings) -> Result<Self, WorkspaceError> {
        let invalid = |why: &str| WorkspaceError::new(WorkspaceError::SOURCE_INVALID, format!("the repository {why}"));
        if text.is_empty() || text.len() > 2000 {
            return Err(invalid("must have 1 to 2000 bytes"));
        }
        if text.chars().any(|one| one.is_control() || one.is_whitespace()) && !text.starts_with('/') {
            return Err(invalid("has spaces or control characters"));
        }
        let (protocol, text) = match text.split_once("://") {
            _ if text.starts_with('/') => (Protocol::File, text.to_owned()),
            Some(("https", rest)) => (Protocol::Https, checked_authority(text, rest)?),
            Some(("http", rest)) if settings.plain_http => (Protocol::Http, checked_authority(text, rest)?),
            Some(("ssh", rest)) => (Protocol::Ssh, checked_authority(text, rest)?),
            Some(("file", path)) if path.starts_with('/') => (Protocol::File, decode_percent(path)?),
            None if is_scp_like(text) => (Protocol::Ssh, text.to_owned()),
            _ => {
                let message = "the repository must begin with https://, ssh:// or file:///, or be user@host:path";
                return Err(WorkspaceError::new(WorkspaceError::SOURCE_FORBIDDEN, message));
            }
        };
        if protocol == Protocol::File && text.contains('\0') {
            return Err(invalid("has a NUL"));
        }
        Ok(Self { text, protocol })
    }

    /// The repository in a folder of this machine.
    pub(super) fn of_folder(path: &Path) -> Result<Self, WorkspaceError> {
        let text = path.to_str().ok_or_else(|| {
            WorkspaceError::new(WorkspaceError::SOURCE_INVALID, format!("the name {} is not UTF-8", path.display()))
        })?;
        Ok(Self { text: text.to_owned(), protocol: Protocol::File })
    }

    /// The address of a submodule as its parent's `.gitmodules` states it. A submodule may be on this machine only
    /// where its parent is.
    pub(super) fn submodule(&self, stated: &str, settings: &WorkspaceSettings) -> Result<Self, WorkspaceError> {
        let is_relative = stated.starts_with("./") || stated.starts_with("../");
        let absolute = if is_relative { resolve_relative(&self.text, stated)? } else { stated.to_owned() };
        let url = Self::parse(&absolute, settings)?;
        if url.protocol == Protocol::File && self.protocol != Protocol::File {
            let message = "a submodule of a remote repository must not be a folder of this machine";
            return Err(WorkspaceError::new(WorkspaceError::SOURCE_FORBIDDEN, message));
        }
        Ok(url)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The folder, where it is one of this machine.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        (self.protocol == Protocol::File).then(|| PathBuf::from(&self.text))
    }

    /// The address without a user's name, for the agent's configuration.
    pub(super) fn without_user(&self) -> String {
        match self.text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
                format!("{scheme}://{}", &rest[host..])
            }
            _ => self.text.clone(),
        }
    }
}

/// Refuses a password in the address, and a host that ssh would take for an option.
fn checked_authority(text: &str, rest: &str) -> Result<String, WorkspaceError> {
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        let message = "the repository's address must not contain a password; git on this machine has the credentials";
        return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
    }
    if host.is_empty() || host.starts_with('-') || user.starts_with('-') {
        return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, "the repository's address has no host"));
    }
    Ok(text.to_owned())
}

/// `user@host:path`, where neither part can be taken for an option or for a transport such as `ext::`.
fn is_scp_like(text: &str) -> bool {
    let Some((authority, path)) = text.split_once(':') else { return false };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_' | '@');
    !path.is_empty()
        && !path.starts_with([':', '-'])
        && host.starts_with(|one: char| one.is_ascii_alphanumeric())
        && !authority.starts_with('-')
        && authority.chars().all(plain)
        && authority.contains(['@', '.'])
}

fn decode_percent(path: &str) -> Result<String, WorkspaceError> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = if *first == b'%' { more.get(..2).and_then(|two| hex::decode(two).ok()) } else { None };
        bytes.push(code.as_ref().map_or(*first, |one| one[0]));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    let invalid = |_| WorkspaceError::new(WorkspaceError::SOURCE_INVALID, "the repository's path is not UTF-8");
    String::from_utf8(bytes).map_err(invalid)
}

/// Follows git: each `../` removes the last part of the parent's address, be it after a slash or a colon.
fn resolve_relative(parent: &str, relative: &str) -> Result<String, WorkspaceError> {
    let mut base = parent.trim_end_matches('/');
    let mut rest = relative;
    let mut separator = "/";
    loop {
        if let Some(more) = rest.strip_prefix("./") {
            rest = more;
        } else if let Some(more) = rest.strip_prefix("../") {
            rest = more;
            let at = base.rfind(['/', ':']).filter(|at| !base[..*at].ends_with('/') && *at > 0);
            let at = at.filter(|at| !base[*at..].starts_with("://"));
            let Some(at) = at else {
                let message = format!("{relative} leads out of the parent's address");
                return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
            };
            separator = if base[at..].starts_with(':') { ":" } else { "/" };
            base = &base[..at];
        } else {
            return Ok(format!("{base}{separator}{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<RepositoryUrl, WorkspaceError> {
        RepositoryUrl::parse(text, &WorkspaceSettings::default())
    }

    #[test]
    fn transports_that_run_programs_are_refused() {
        for text in [
            "ext::sh -c id",
            "ext::sh",
            "fd::17",
            "git://example.com/a",
            "http://example.com/a",
            "a",
            "x:y",
            "--upload-pack=touch",
            "-oProxyCommand=x@h:y",
            "ssh://-oProxyCommand=x/y",
            "host.example:-x",
            "ftp://a/b",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_with_a_password_is_refused() {
        assert_eq!(parse("https://me:secret@example.com/a").unwrap_err().code(), WorkspaceError::SOURCE_INVALID);
        let url = parse("https://org@dev.example.com/org/a").unwrap();
        assert_eq!(url.without_user(), "https://dev.example.com/org/a");
    }

    #[test]
    fn a_relative_submodule_follows_its_parent() {
        let settings = WorkspaceSettings::default();
        for (parent, stated, expected) in [
            ("https://example.com/org/a.git", "../b.git", "https://example.com/org/b.git"),
            ("https://example.com/org/a.git", "../../other/b", "https://example.com/other/b"),
            ("git@example.com:org/a", "../b", "git@example.com:org/b"),
            ("git@example.com:org/a", "../../x/b", "git@example.com:x/b"),
            ("/srv/git/a", "../b", "/srv/git/b"),
            ("/srv/git/a", "./b", "/srv/git/a/b"),
        ] {
            let url = parse(parent).unwrap().submodule(stated, &settings).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        assert!(parse("https://example.com/a").unwrap().submodule("../../../b", &settings).is_err());
    }

    #[test]
    fn a_submodule_of_a_remote_repository_is_no_folder_of_this_machine() {
        let settings = WorkspaceSettings::default();
        let parent = parse("https://example.com/a").unwrap();
        assert_eq!(parent.submodule("/etc", &settings).unwrap_err().code(), WorkspaceError::SOURCE_FORBIDDEN);
        assert_eq!(parent.submodule("file:///etc", &settings).unwrap_err().code(), WorkspaceError::SOURCE_FORBIDDEN);
        assert!(parent.submodule("ext::sh", &settings).is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_address_is_never_an_option_or_a_helper(text in "[-a-z:/@.+]{1,24}") {
            if let Ok(url) = parse(&text) {
                prop_assert!(!url.as_str().starts_with('-'));
                let helper = url.as_str().split_once("::").map(|(helper, _)| helper);
                prop_assert!(helper.is_none_or(|helper| helper.contains([':', '/', '@'])), "{}", url.as_str());
            }
        }

        #[test]
        fn an_address_of_any_text_is_read_without_a_panic(text in "\\PC{0,40}", stated in "\\PC{0,40}") {
            if let Ok(url) = parse(&text) {
                let _ = url.submodule(&format!("../{stated}"), &WorkspaceSettings::default());
                let _ = url.without_user();
            }
        }
    }
}
