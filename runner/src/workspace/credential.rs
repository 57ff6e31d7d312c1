//! A credential of a session for one git host. Git is given it by variables of one call; it is in no configuration, no
//! mirror, and no command line.

use std::fmt;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::url::{Protocol, RepositoryUrl};

/// Answers git's question for a credential from the variables of the call, and stores nothing.
const HELPER: &str = "!f() { test \"$1\" = get && \
                      printf 'username=%s\\npassword=%s\\n' \"$IOC_GIT_USERNAME\" \"$IOC_GIT_PASSWORD\"; }; f";

/// A name and a password for the repositories of one host. It is never printed.
#[derive(Clone, Eq, PartialEq)]
pub struct GitCredential {
    /// The host, with its port where the URLs have one.
    pub host: String,
    /// The name to log in with.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl fmt::Debug for GitCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GitCredential({})", self.host)
    }
}

impl GitCredential {
    /// Whether it is for the repository at an address. Only HTTP takes passwords.
    pub(super) fn is_for(&self, url: &RepositoryUrl) -> bool {
        scope_of(url).is_some_and(|(_, host)| host.eq_ignore_ascii_case(&self.host))
    }

    /// A text that differs for different credentials and does not reveal them: it separates their mirrors.
    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.host, &self.username, &self.password] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hex::encode(hash.finalize())
    }

    /// Makes a call use it for this host instead of what the machine has. Other hosts, to which the call may be
    /// redirected, do not receive it.
    pub(super) fn add_to(&self, command: &mut Command, url: &RepositoryUrl) {
        let Some((scheme, host)) = scope_of(url) else { return };
        let setting = format!("credential.{scheme}://{host}.helper=");
        // An empty helper forgets those that were configured before it.
        command.args(["-c", &setting, "-c", &format!("{setting}{HELPER}")]);
        command.env("IOC_GIT_USERNAME", &self.username).env("IOC_GIT_PASSWORD", &self.password);
    }
}

/// The scheme and the host, with its port, of an address that takes passwords.
fn scope_of(url: &RepositoryUrl) -> Option<(&'static str, &str)> {
    let scheme = match url.protocol() {
        Protocol::Https => "https",
        Protocol::Http => "http",
        Protocol::File | Protocol::Ssh => return None,
    };
    let authority = url.as_str().split_once("://")?.1.split('/').next()?;
    Some((scheme, authority.rsplit_once('@').map_or(authority, |(_, host)| host)))
}

#[cfg(test)]
mod tests {
    use super::{super::settings::WorkspaceSettings, *};

    fn credential() -> GitCredential {
        let text = str::to_owned;
        GitCredential { host: text("git.example.com:8443"), username: text("bot"), password: text("quiet otters") }
    }

    fn url(text: &str) -> RepositoryUrl {
        RepositoryUrl::parse(text, &WorkspaceSettings::default()).unwrap()
    }

    #[test]
    fn a_credential_is_for_its_host_and_port_over_https_alone() {
        for (text, is_for) in [
            ("https://git.example.com:8443/team/app.git", true),
            ("https://me@GIT.example.com:8443/team/app.git", true),
            ("https://git.example.com/team/app.git", false),
            ("https://git.example.com.evil.org:8443/a", false),
            ("https://evil.org/git.example.com:8443/a", false),
            ("ssh://git.example.com:8443/team/app.git", false),
        ] {
            assert_eq!(credential().is_for(&url(text)), is_for, "{text}");
        }
    }

    #[test]
    fn a_password_is_in_no_argument_and_in_no_debug_output() {
        let mut command = Command::new("git");
        credential().add_to(&mut command, &url("https://git.example.com:8443/a"));
        let arguments: Vec<_> = command.as_std().get_args().map(|one| one.to_string_lossy().into_owned()).collect();
        assert!(arguments.iter().any(|one| one.starts_with("credential.https://git.example.com:8443.helper=!f()")));
        assert!(!arguments.concat().contains("otters") && !format!("{:?}", credential()).contains("otters"));
        let other = GitCredential { password: "other".to_owned(), ..credential() };
        assert_ne!(credential().fingerprint(), other.fingerprint());
    }
}
