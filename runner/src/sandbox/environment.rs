//! The environment of an agent, under names that mean nothing to the programs before the agent.
//!
//! Bubblewrap and our own first program may be root: a variable such as `LD_PRELOAD` would run the agent's code there.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use super::{method::Isolation, spec::SandboxSpec};

const PROGRAM_FOLDERS: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// What stands in front of the names of the agent's variables until the agent starts.
const HIDDEN_PREFIX: &str = "IOC_AGENT_ENVIRONMENT_";
/// The addresses that are reached without the proxy: the model gateway's, and servers that the agent starts.
const WITHOUT_PROXY: &str = "127.0.0.1,localhost";

/// The variables for the command that starts an agent. Nothing else is to be in its environment.
pub(super) fn hide_environment(spec: &SandboxSpec) -> Vec<(OsString, OsString)> {
    let hide = |(name, value): (OsString, OsString)| {
        let mut hidden = OsString::from(HIDDEN_PREFIX);
        hidden.push(name);
        (hidden, value)
    };
    let defaults = default_environment(spec).into_iter().chain(proxy_environment(spec));
    defaults.chain(spec.environment.iter().cloned()).map(hide).collect()
}

/// The agent's variables, found in the environment of this process. All others are not the agent's.
pub(super) fn reveal_environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.as_bytes().strip_prefix(HIDDEN_PREFIX.as_bytes())?;
        Some((OsStr::from_bytes(name).to_owned(), value))
    })
}

/// Where the agent's temporary files lie: without a sandbox in its HOME, because the machine's folder is shared.
pub(super) fn temporary_folder(spec: &SandboxSpec) -> PathBuf {
    if spec.isolation == Isolation::Sandbox { "/tmp".into() } else { spec.home.join("tmp") }
}

fn default_environment(spec: &SandboxSpec) -> Vec<(OsString, OsString)> {
    let fixed = [("USER", "agent"), ("LOGNAME", "agent"), ("PATH", PROGRAM_FOLDERS), ("LANG", "C.UTF-8")];
    let mut variables: Vec<_> = fixed.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    variables.push(("HOME".into(), spec.inner_home().as_os_str().to_owned()));
    variables.push(("TMPDIR".into(), temporary_folder(spec).into_os_string()));
    variables
}

/// Programs differ in the case that they read.
fn proxy_environment(spec: &SandboxSpec) -> Vec<(OsString, OsString)> {
    let Some(egress) = &spec.egress else { return Vec::new() };
    let proxy = format!("http://127.0.0.1:{}", egress.port);
    let named = [("HTTP_PROXY", proxy.as_str()), ("HTTPS_PROXY", &proxy), ("NO_PROXY", WITHOUT_PROXY)];
    let both = named.into_iter().flat_map(|(name, value)| [(name.to_owned(), value), (name.to_lowercase(), value)]);
    both.map(|(name, value)| (name.into(), value.into())).collect()
}
