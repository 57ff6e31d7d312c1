//! Links that open the dashboard signed in, each once.
//!
//! A link is printed on a terminal, whose output others may read later, so it holds a ticket and no key. A ticket is a
//! file in a folder that only its owner can read: `ioc link` can create one for the `ioc up` that runs, and removing
//! the file redeems it, which succeeds once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use chrono::TimeDelta;
use shared::kernel::clock::{Clock, Time};

use crate::{
    console::print_line,
    env_file::EnvFile,
    paths,
    services::{secret, write_private},
};

/// How long a link can be used.
const LINK_LIFETIME: TimeDelta = TimeDelta::hours(8);

/// The instance to print a link for.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Where its data and its keys are
    #[arg(long, default_value_os_t = paths::local())]
    local: PathBuf,
}

/// `ioc link`: prints a new link for the running `ioc up`.
pub async fn run(arguments: Arguments) -> Result<()> {
    let local = std::path::absolute(arguments.local)?;
    let env = EnvFile::read(&local.join("env"))?;
    let health = reqwest::get(format!("{}/health", env.url)).await.and_then(reqwest::Response::error_for_status);
    anyhow::ensure!(health.is_ok(), "ioc does not run on {}: start it with `make up`", env.url);
    print_line(SignInLinks::of(&local).create(&env.url, Clock::System.now())?);
    Ok(())
}

/// The tickets of one instance.
#[derive(Clone, Debug)]
pub struct SignInLinks {
    folder: PathBuf,
}

impl SignInLinks {
    /// The tickets in the folder of an instance.
    pub fn of(local: &Path) -> Self {
        Self { folder: local.join("links") }
    }

    /// Creates a link to the dashboard at this URL, which signs one browser in within [`LINK_LIFETIME`].
    pub fn create(&self, url: &str, now: Time) -> Result<String> {
        paths::private(&self.folder)?;
        let ticket = secret();
        write_private(&self.folder.join(&ticket), &(now + LINK_LIFETIME).timestamp().to_string())?;
        Ok(format!("{url}/link/{ticket}"))
    }

    /// Redeems a ticket. True once, for a ticket that exists and has not expired.
    pub fn redeem(&self, ticket: &str, now: Time) -> bool {
        let is_name = !ticket.is_empty() && ticket.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let file = self.folder.join(ticket);
        let expires_at = || fs::read_to_string(&file).ok()?.parse::<i64>().ok();
        // Of two that read the file, one removes it.
        is_name && expires_at().is_some_and(|at| fs::remove_file(&file).is_ok() && now.timestamp() < at)
    }

    /// Removes the tickets of earlier starts.
    pub fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Instance(PathBuf);

    impl Drop for Instance {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    fn ticket(link: &str) -> &str {
        link.strip_prefix("http://here/link/").unwrap()
    }

    #[test]
    fn a_link_is_redeemed_once_before_it_expires_and_not_after_a_restart() {
        let instance = Instance(paths::temporary("links").unwrap());
        let (links, now) = (SignInLinks::of(&instance.0), Clock::System.now());
        let link = links.create("http://here", now).unwrap();
        let just_before = now + LINK_LIFETIME - TimeDelta::seconds(1);
        assert_eq!([links.redeem(ticket(&link), just_before), links.redeem(ticket(&link), now)], [true, false]);
        let late = links.create("http://here", now).unwrap();
        assert!(!links.redeem(ticket(&late), now + LINK_LIFETIME));
        let old = links.create("http://here", now).unwrap();
        links.clear().unwrap();
        assert!(!links.redeem(ticket(&old), now));
        links.clear().unwrap();
    }

    #[test]
    fn a_text_that_is_no_ticket_redeems_and_removes_nothing() {
        let instance = Instance(paths::temporary("links").unwrap());
        let (links, now) = (SignInLinks::of(&instance.0), Clock::System.now());
        links.create("http://here", now).unwrap();
        let far = "9999999999";
        fs::write(instance.0.join("outside"), far).unwrap();
        for wrong in ["", ".", "../outside", "..%2foutside", "0123", "a/b"] {
            assert!(!links.redeem(wrong, now), "{wrong}");
        }
        assert_eq!(fs::read_to_string(instance.0.join("outside")).unwrap(), far);
    }
}
