//! The meaning of what git writes to its standard error.

use super::error::WorkspaceError;

/// The longest message that is quoted, in bytes.
const QUOTED: usize = 2000;

/// Phrases of git, ssh and servers in lower case, with the code that they mean. The first that occurs decides: a server
/// that asks for a credential also "could not be read", and git names each failure of HTTP "unable to access".
const PHRASES: [(&str, &str); 36] = [
    ("no space left on device", WorkspaceError::DISK_FULL),
    ("disk quota exceeded", WorkspaceError::DISK_FULL),
    // Git names no cause here. The file was created, so only its content had no space.
    ("failed to write new configuration file", WorkspaceError::DISK_FULL),
    ("authentication failed", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("could not read username", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("could not read password", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("terminal prompts disabled", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("permission denied (", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("returned error: 401", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("returned error: 403", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("host key verification failed", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("too many authentication failures", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("not allowed to view", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("access denied", WorkspaceError::AUTHENTICATION_REQUIRED),
    ("' not allowed", WorkspaceError::SOURCE_FORBIDDEN),
    ("couldn't find remote ref", WorkspaceError::REFERENCE_UNKNOWN),
    ("not our ref", WorkspaceError::REFERENCE_UNKNOWN),
    ("unadvertised object", WorkspaceError::REFERENCE_UNKNOWN),
    ("could not resolve host", WorkspaceError::NETWORK),
    ("connection refused", WorkspaceError::NETWORK),
    ("connection reset", WorkspaceError::NETWORK),
    ("connection timed out", WorkspaceError::NETWORK),
    ("operation timed out", WorkspaceError::NETWORK),
    ("failed to connect", WorkspaceError::NETWORK),
    ("couldn't connect to server", WorkspaceError::NETWORK),
    ("network is unreachable", WorkspaceError::NETWORK),
    ("no route to host", WorkspaceError::NETWORK),
    ("repository not found", WorkspaceError::REPOSITORY_NOT_FOUND),
    ("' not found", WorkspaceError::REPOSITORY_NOT_FOUND),
    ("returned error: 404", WorkspaceError::REPOSITORY_NOT_FOUND),
    ("does not appear to be a git repository", WorkspaceError::REPOSITORY_NOT_FOUND),
    ("does not exist", WorkspaceError::REPOSITORY_NOT_FOUND),
    ("the remote end hung up unexpectedly", WorkspaceError::NETWORK),
    ("early eof", WorkspaceError::NETWORK),
    ("unable to access '", WorkspaceError::NETWORK),
    ("ssl", WorkspaceError::NETWORK),
];

/// Phrases of git in lower case about a repository that is not whole on the disk, or of a call that was killed.
const DAMAGE: [&str; 14] = [
    "bad object",
    "cannot read",
    "corrupt",
    "could not parse",
    "could not read",
    "ended by signal",
    "inflate",
    "invalid index-pack",
    "loose object",
    "missing",
    "not a git repository",
    "packfile",
    "truncated",
    "unable to read",
];

/// Whether a call failed because the mirror on this machine may be damaged. Anything else would fail again with a new
/// one.
pub(super) fn hints_at_damage(error: &WorkspaceError) -> bool {
    let text = error.message().to_lowercase();
    error.code() == WorkspaceError::GIT_FAILED && DAMAGE.iter().any(|phrase| text.contains(phrase))
}

/// The error for a call to a remote that failed.
pub(super) fn classify_remote_failure(stderr: &[u8]) -> WorkspaceError {
    let text = quote_stderr(stderr);
    let lower = text.to_lowercase();
    let known = PHRASES.iter().find(|(phrase, _)| lower.contains(phrase));
    WorkspaceError::new(known.map_or(WorkspaceError::GIT_FAILED, |(_, code)| code), text)
}

/// The error for a call on this machine that failed.
pub(super) fn classify_local_failure(command: &str, stderr: &[u8]) -> WorkspaceError {
    let text = quote_stderr(stderr);
    let is_full = PHRASES[..3].iter().any(|(phrase, _)| text.to_lowercase().contains(phrase));
    let code = if is_full { WorkspaceError::DISK_FULL } else { WorkspaceError::GIT_FAILED };
    WorkspaceError::new(code, format!("git {command}: {text}"))
}

/// The end of the text, where git states the cause, without credentials and control characters.
pub(super) fn quote_stderr(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let printable: String = text.chars().filter(|one| !one.is_control() || *one == '\n').collect();
    let clean = remove_credentials(printable.trim());
    let start = clean.ceil_char_boundary(clean.len().saturating_sub(QUOTED));
    clean[start..].to_owned()
}

/// Replaces `://name:secret@host` by `://host`.
fn remove_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let authority = part.find(['/', ' ', '\'', '"', '\n']).unwrap_or(part.len());
        let host = part[..authority].rfind('@').map_or(0, |at| at + 1);
        clean.push_str("://");
        clean.push_str(&part[host..]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_message_has_no_credentials() {
        let quoted = quote_stderr(b"fatal: unable to access 'https://me:s3cret@git.example.com/a': no");
        assert_eq!(quoted, "fatal: unable to access 'https://git.example.com/a': no");
        assert_eq!(quote_stderr(b"https://a@b@c/d"), "https://c/d");
    }

    #[test]
    fn a_refused_credential_is_not_taken_for_a_lost_network() {
        let said = b"fatal: unable to access 'https://a/': The requested URL returned error: 403";
        assert_eq!(classify_remote_failure(said).code(), WorkspaceError::AUTHENTICATION_REQUIRED);
        let said = b"fatal: could not read Username for 'https://a': terminal prompts disabled";
        assert_eq!(classify_remote_failure(said).code(), WorkspaceError::AUTHENTICATION_REQUIRED);
    }

    #[test]
    fn a_full_disk_is_known_by_every_message_that_git_has_for_it() {
        for said in [
            "fatal: write error: No space left on device",
            "error: failed to write new configuration file /d/work/.git/config.lock\nfatal: could not set 'a' to '0'",
        ] {
            assert_eq!(classify_local_failure("init", said.as_bytes()).code(), WorkspaceError::DISK_FULL, "{said}");
        }
        assert_eq!(classify_local_failure("init", b"fatal: bad object").code(), WorkspaceError::GIT_FAILED);
    }

    #[test]
    fn each_cause_of_a_failed_fetch_has_its_code() {
        for (said, code) in [
            ("fatal: unable to access 'https://a/': Could not resolve host: a", WorkspaceError::NETWORK),
            ("fatal: repository 'https://a/b/' not found", WorkspaceError::REPOSITORY_NOT_FOUND),
            ("fatal: '/a' does not appear to be a git repository", WorkspaceError::REPOSITORY_NOT_FOUND),
            ("fatal: couldn't find remote ref refs/x", WorkspaceError::REFERENCE_UNKNOWN),
            ("fatal: transport 'ext' not allowed", WorkspaceError::SOURCE_FORBIDDEN),
            ("git@a: Permission denied (publickey).", WorkspaceError::AUTHENTICATION_REQUIRED),
            ("error: inflate: data stream error", WorkspaceError::GIT_FAILED),
        ] {
            assert_eq!(classify_remote_failure(said.as_bytes()).code(), code, "{said}");
        }
    }
}
