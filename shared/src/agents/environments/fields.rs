//! The limits of each field of an environment. Each check names every field that breaks one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    agents::contract::workspace::{check_directory, check_repository, is_reference},
    kernel::{
        error::ValidationErrors,
        id::EnvironmentId,
        text::parse_line,
        validation::{parse_provider_model, parse_variable_name},
    },
};

use super::spec::{
    EnvironmentAgent, EnvironmentMcpServer, EnvironmentRepository, MAX_SETUP_SECONDS, NetworkMode, NetworkPolicy,
    SetupScript,
};

const MAX_REPOSITORIES: usize = 10;
const MAX_SCRIPT_BYTES: usize = 64 * 1024;
const MAX_VARIABLES: usize = 100;
const MAX_VARIABLE_BYTES: usize = 8 * 1024;
const MAX_SECRETS: usize = 50;
const MAX_DOMAINS: usize = 100;
const MAX_MCP_SERVERS: usize = 20;
const MAX_ARGUMENTS: usize = 50;
const MAX_RULES: usize = 20_000;

/// Whether a text may be the name of an environment: 1 to 100 characters, and no id.
pub(super) fn is_environment_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=100).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.parse::<EnvironmentId>().is_err()
}

pub(super) fn parse_environment_name(text: String) -> Result<String, String> {
    if is_environment_name(&text) {
        return Ok(text);
    }
    Err("must have 1 to 100 of the characters A-Z a-z 0-9 _ . -, begin with a letter or a digit, and be no id"
        .to_owned())
}

pub(super) fn check_repositories(
    refused: &mut ValidationErrors,
    repositories: &[EnvironmentRepository],
    may_clone: impl Fn(&str) -> Result<(), &'static str>,
) {
    if repositories.len() > MAX_REPOSITORIES {
        refused.add("repositories", format!("must be at most {MAX_REPOSITORIES}"));
    }
    let mut paths = BTreeSet::new();
    for (at, one) in repositories.iter().enumerate() {
        let field = |name: &str| format!("repositories[{at}].{name}");
        let checked = check_repository(&one.url).and_then(|()| may_clone(&one.url));
        refused.check(&field("url"), checked.map_err(str::to_owned));
        if one.reference.as_deref().is_some_and(|name| !is_reference(name)) {
            refused.add(field("ref"), "is not a git branch, tag or commit name");
        }
        if let Some(path) = one.path.as_deref() {
            refused.check(&field("path"), check_repository_path(path));
        }
        if !paths.insert(one.path.as_deref().map(|path| path.trim_end_matches('/'))) {
            refused.add(field("path"), "must differ from those of the other repositories; one at most has none");
        }
    }
}

/// A folder of the work tree, in its shortest spelling.
fn check_repository_path(path: &str) -> Result<(), String> {
    check_directory(path, true)?;
    let parts: Vec<_> = path.trim_end_matches('/').split('/').collect();
    if parts.iter().any(|part| part.is_empty() || *part == ".") {
        return Err("must be a folder of the work tree, such as libs/core".to_owned());
    }
    Ok(())
}

pub(super) fn check_setup(refused: &mut ValidationErrors, setup: &SetupScript) {
    if !(1..=MAX_SCRIPT_BYTES).contains(&setup.script.len()) || setup.script.contains('\0') {
        refused.add("setup.script", format!("must have 1 to {MAX_SCRIPT_BYTES} bytes, none of them NUL"));
    }
    if !(1..=MAX_SETUP_SECONDS).contains(&setup.timeout_seconds) {
        refused.add("setup.timeout_seconds", format!("must be 1 to {MAX_SETUP_SECONDS}"));
    }
}

pub(super) fn check_variables(refused: &mut ValidationErrors, field: &str, variables: &BTreeMap<String, String>) {
    if variables.len() > MAX_VARIABLES {
        refused.add(field, format!("must be at most {MAX_VARIABLES}"));
    }
    for (name, value) in variables {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        refused.check(&format!("{field}.{shown}"), parse_variable_name(name));
        if value.len() > MAX_VARIABLE_BYTES || value.contains('\0') {
            let limit = format!("must have at most {MAX_VARIABLE_BYTES} bytes, none of them NUL");
            refused.add(format!("{field}.{shown}"), limit);
        }
    }
}

pub(super) fn check_secret_names(refused: &mut ValidationErrors, names: &[String]) {
    if names.len() > MAX_SECRETS {
        refused.add("secrets", format!("must be at most {MAX_SECRETS}"));
    }
    let mut known = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        let field = format!("secrets[{at}]");
        refused.check(&field, parse_variable_name(name));
        if !known.insert(name) {
            refused.add(&field, "is there twice");
        }
    }
}

pub(super) fn check_network(refused: &mut ValidationErrors, network: &NetworkPolicy) {
    if network.domains.len() > MAX_DOMAINS {
        refused.add("network.domains", format!("must be at most {MAX_DOMAINS}"));
    }
    for (at, domain) in network.domains.iter().enumerate() {
        if !is_domain_pattern(domain) {
            let form = "must be a domain such as example.com or *.example.com, in lower case";
            refused.add(format!("network.domains[{at}]"), form);
        }
    }
    let is_listed = [network.setup, network.agent].contains(&NetworkMode::Allowlist);
    if is_listed && network.domains.is_empty() {
        refused.add("network.domains", "must name a domain: allowlist permits only those that are listed");
    }
}

/// A domain of at least two labels, or all below one.
fn is_domain_pattern(text: &str) -> bool {
    let domain = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)
}

pub(super) fn check_mcp_servers(refused: &mut ValidationErrors, servers: &[EnvironmentMcpServer]) {
    if servers.len() > MAX_MCP_SERVERS {
        refused.add("mcp_servers", format!("must be at most {MAX_MCP_SERVERS}"));
    }
    let mut names = BTreeSet::new();
    for (at, server) in servers.iter().enumerate() {
        let field = |name: &str| format!("mcp_servers[{at}].{name}");
        if !is_server_name(&server.name) {
            refused.add(field("name"), "must have 1 to 50 of the characters A-Z a-z 0-9 _ -, the first no dash");
        }
        if !names.insert(&server.name) {
            refused.add(field("name"), "is the name of another server");
        }
        match (&server.command, &server.url) {
            (Some(command), None) => {
                refused.check(&field("command"), parse_line(command.clone(), 1..=1024));
            }
            (None, Some(url)) => refused.check(&field("url"), check_server_url(url)).unwrap_or_default(),
            _ => refused.add(field("command"), "a server has a command or a url, and not both"),
        }
        let has_nul = |text: &String| text.contains('\0') || text.len() > MAX_VARIABLE_BYTES;
        if server.arguments.len() > MAX_ARGUMENTS || server.arguments.iter().any(has_nul) {
            refused.add(field("arguments"), format!("must be at most {MAX_ARGUMENTS}, of at most 8192 bytes each"));
        }
        check_variables(refused, &field("variables"), &server.variables);
        check_headers(refused, &field("headers"), &server.headers);
    }
}

fn is_server_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=50).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(['-', '_'])
}

fn check_server_url(url: &str) -> Result<(), String> {
    let host = url.strip_prefix("https://").unwrap_or_default();
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !host.contains('@');
    if url.len() <= 2000 && is_plain && host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[') {
        return Ok(());
    }
    Err("must be an https URL without credentials, of at most 2000 characters".to_owned())
}

fn check_headers(refused: &mut ValidationErrors, field: &str, headers: &BTreeMap<String, String>) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_header = |(name, value): (&String, &String)| {
        (1..=100).contains(&name.len())
            && name.bytes().all(is_token)
            && value.len() <= 2000
            && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    if headers.len() > 20 || !headers.iter().all(is_header) {
        refused
            .add(field, "must be at most 20 names of A-Z a-z 0-9 _ - with values of at most 2000 printable characters");
    }
}

pub(super) fn check_rules(refused: &mut ValidationErrors, rules: &str) {
    if rules.chars().count() > MAX_RULES || rules.contains('\0') {
        refused.add("rules", format!("must have at most {MAX_RULES} characters, none of them NUL"));
    }
}

pub(super) fn parse_cpu(cores: f64) -> Result<f64, String> {
    if (0.1..=8.0).contains(&cores) { Ok(cores) } else { Err("must be 0.1 to 8".to_owned()) }
}

pub(super) fn parse_memory(megabytes: i64) -> Result<i32, String> {
    let number = i32::try_from(megabytes).ok().filter(|megabytes| (100..=8192).contains(megabytes));
    number.ok_or_else(|| "must be 100 to 8192".to_owned())
}

pub(super) fn check_agent(refused: &mut ValidationErrors, agent: &EnvironmentAgent) {
    if agent.program.as_deref().is_some_and(|name| !is_program_name(name)) {
        refused.add("agent.program", "must have 1 to 50 of the characters a-z 0-9 _ -, the first a letter");
    }
    refused.check("agent.model", agent.model.clone().map(parse_provider_model).transpose());
    refused.check("agent.mode", agent.mode.clone().map(|mode| parse_line(mode, 1..=100)).transpose());
}

fn is_program_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=50).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
}
