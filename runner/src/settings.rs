//! The settings of a runner: what its command line and its environment say.

use std::{net::SocketAddr, path::PathBuf, thread::available_parallelism};

use anyhow::{Context, Result, bail};
use serde_json::Map;

use crate::{
    acp::PermissionPolicy,
    egress::EgressSettings,
    gateway::{Credential, ModelAllowList, Protocol, Provider, ProviderKey},
    programs::{DefaultModels, ModelProtocol},
    sandbox::Isolation,
};

/// `ioc-runner start`: takes work of a control plane until it is stopped
#[derive(Clone, Debug, clap::Args)]
pub struct RunnerSettings {
    /// The URL of the control plane
    #[arg(long, env = "IOC_URL")]
    pub url: String,
    /// The token with which the runner enrols in a pool at its first start
    #[arg(long, env = "IOC_RUNNER_TOKEN", hide_env_values = true)]
    pub enrolment_token: Option<String>,
    /// The key of a lead, with which the runner creates such a token itself
    #[arg(long, env = "IOC_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// The name of the runner, unique in its pool: letters, digits, dots, hyphens and underscores
    #[arg(long, env = "RUNNER_NAME", default_value = "RUNNER")]
    pub name: String,
    /// The pool that the runner enrols in by a key; by default one named after the runner
    #[arg(long, env = "RUNNER_POOL")]
    pub pool: Option<String>,
    /// A label for people, as NAME=VALUE
    #[arg(long = "label", env = "RUNNER_LABELS", value_delimiter = ',', value_parser = parse_label)]
    pub labels: Vec<(String, String)>,
    /// Where /healthz and /metrics are served, such as 127.0.0.1:9464; nowhere by default
    #[arg(long, env = "RUNNER_METRICS_ADDRESS")]
    pub metrics_address: Option<SocketAddr>,
    /// The folder for mirrors, workspaces and the runner's credential
    #[arg(long, env = "RUNNER_DATA", default_value = ".local/runner")]
    pub data: PathBuf,
    /// How many sessions it works on at once; as many as the machine bears by default
    #[arg(long, env = "RUNNER_SLOTS")]
    pub slots: Option<usize>,
    /// The programs to offer, such as opencode; all that are installed by default
    #[arg(long = "program", env = "RUNNER_PROGRAMS", value_delimiter = ',')]
    pub programs: Vec<String>,
    /// A file with further programs
    #[arg(long, env = "RUNNER_PROGRAM_FILE")]
    pub program_file: Option<PathBuf>,
    /// Where the programs were installed
    #[arg(long, env = "RUNNER_INSTALLED", default_value = ".local")]
    pub installed: PathBuf,
    /// The program bwrap
    #[arg(long, env = "RUNNER_BUBBLEWRAP")]
    pub bubblewrap: Option<PathBuf>,
    /// The least isolation of agents: sandbox or process. Without a sandbox, agents can read what their user may read
    /// on the machine, and reach its network
    #[arg(long, env = "RUNNER_MINIMUM_ISOLATION", default_value = "sandbox")]
    pub minimum_isolation: Isolation,
    /// The first user of the agents, if the runner is root: each session at work has one of its own
    #[arg(long, env = "RUNNER_AGENT_UID", default_value_t = 65_100, value_parser = clap::value_parser!(u32).range(1..))]
    pub agent_uid: u32,
    #[command(flatten)]
    pub egress: EgressSettings,
    /// After how many seconds without the control plane agents stop working: their leases may be another runner's then.
    /// They go on when it is back, if nobody else has their sessions
    #[arg(long, env = "RUNNER_SUSPEND_AFTER", default_value_t = 45)]
    pub suspend_after: u64,
    /// Folders from which sessions may take files, separated by colons
    #[arg(long, env = "RUNNER_FOLDERS", value_delimiter = ':')]
    pub folders: Vec<PathBuf>,
    /// The model of Anthropic where a session names none
    #[arg(long, env = "RUNNER_ANTHROPIC_MODEL", default_value = "claude-sonnet-4-5")]
    pub anthropic_model: String,
    /// The model of OpenAI where a session names none
    #[arg(long, env = "RUNNER_OPENAI_MODEL", default_value = "gpt-5")]
    pub openai_model: String,
    /// The model of Gemini where a session names none
    #[arg(long, env = "RUNNER_GEMINI_MODEL", default_value = "gemini-2.5-pro")]
    pub gemini_model: String,
    /// What sessions may do that say nothing about it, such as execute=ask,fetch=deny: a kind of tools or default, and
    /// allow, ask or deny; everything is allowed by default
    #[arg(long, env = "RUNNER_PERMISSIONS", value_delimiter = ',', value_name = "KIND=RULE")]
    pub permissions: Vec<String>,
    /// The key for Anthropic
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true)]
    pub anthropic_key: Option<String>,
    /// Another address for Anthropic
    #[arg(long, env = "ANTHROPIC_BASE_URL", default_value = "https://api.anthropic.com/v1")]
    pub anthropic_url: String,
    /// The key for OpenAI
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true)]
    pub openai_key: Option<String>,
    /// Another address for OpenAI
    #[arg(long, env = "OPENAI_BASE_URL", default_value = "https://api.openai.com/v1")]
    pub openai_url: String,
    /// The key for Gemini
    #[arg(long, env = "GEMINI_API_KEY", hide_env_values = true)]
    pub gemini_key: Option<String>,
    /// Another address for Gemini
    #[arg(long, env = "GEMINI_BASE_URL", default_value = "https://generativelanguage.googleapis.com/v1beta")]
    pub gemini_url: String,
}

/// The most slots that a control plane accepts.
const MAX_SLOTS: usize = 50;

/// How many bytes of memory a session is expected to take.
const BYTES_PER_SLOT: u64 = 1536 * 1024 * 1024;

impl RunnerSettings {
    /// Checks what the command line cannot.
    pub fn check(&self) -> Result<()> {
        let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let begins_well = self.name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if self.name.len() > 100 || !begins_well || !self.name.chars().all(good) {
            let name = &self.name;
            bail!(
                "the name {name:?} must have 1 to 100 letters, digits, dots, hyphens and underscores, and begin with one of the first two"
            );
        }
        let is_pool_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(pool) = &self.pool
            && (pool.len() > 40
                || !pool.starts_with(is_pool_letter)
                || !pool.chars().all(|c| is_pool_letter(c) || c == '-'))
        {
            bail!("the pool {pool:?} must have 1 to 40 small letters, digits and hyphens");
        }
        if self.slots == Some(0) {
            bail!("a runner without slots takes no work: set --slots to 1 or more");
        }
        self.permissions().map(|_| ())
    }

    /// The rules for what sessions say nothing about.
    pub fn permissions(&self) -> Result<PermissionPolicy> {
        let mut rules = Map::new();
        for pair in &self.permissions {
            let (kind, rule) = pair.split_once('=').with_context(|| format!("{pair:?} must be KIND=RULE"))?;
            rules.insert(kind.trim().to_owned(), rule.trim().into());
        }
        PermissionPolicy::parse(&rules.into()).context("--permissions is wrong")
    }

    /// The pool that the runner enrols in by a key.
    pub fn pool_name(&self) -> String {
        let of_name = || {
            let letters = self.name.chars().take(40);
            letters.map(|c| if "._".contains(c) { '-' } else { c.to_ascii_lowercase() }).collect()
        };
        self.pool.clone().unwrap_or_else(of_name)
    }

    /// The number of slots: as configured, else two per processor, as far as the memory allows.
    pub fn count_slots(&self) -> usize {
        let slots = self.slots.unwrap_or_else(|| {
            let by_memory =
                read_memory().map_or(usize::MAX, |bytes| usize::try_from(bytes / BYTES_PER_SLOT).unwrap_or(1));
            (count_processors() * 2).min(by_memory).max(1)
        });
        slots.min(MAX_SLOTS)
    }

    /// The number of slots and its reason.
    pub fn describe_slots(&self) -> String {
        let slots = self.count_slots();
        if self.slots.is_some() {
            return format!("{slots}, as configured");
        }
        let memory = read_memory().map_or_else(|_| "unknown".to_owned(), |bytes| format!("{} GB", bytes >> 30));
        format!("{slots}, for {} processors and {memory} of memory", count_processors())
    }

    /// The providers for which there is a key.
    pub fn providers(&self) -> Vec<Provider> {
        let anthropic = self.anthropic_key.as_deref().map(|key| Provider {
            name: "anthropic".to_owned(),
            base_url: self.anthropic_url.trim_end_matches('/').to_owned(),
            protocols: vec![Protocol::Messages],
            credential: Credential::ApiKey(ProviderKey::new(key)),
            models: ModelAllowList::All,
        });
        let openai = self.openai_key.as_deref().map(|key| Provider {
            name: "openai".to_owned(),
            base_url: self.openai_url.trim_end_matches('/').to_owned(),
            protocols: vec![Protocol::ChatCompletions, Protocol::Responses],
            credential: Credential::Bearer(ProviderKey::new(key)),
            models: ModelAllowList::All,
        });
        let google = self.gemini_key.as_deref().map(|key| Provider {
            name: "google".to_owned(),
            base_url: self.gemini_url.trim_end_matches('/').to_owned(),
            protocols: vec![Protocol::Gemini],
            credential: Credential::GoogleKey(ProviderKey::new(key)),
            models: ModelAllowList::All,
        });
        anthropic.into_iter().chain(openai).chain(google).collect()
    }

    /// The models where a session names none.
    pub fn default_models(&self) -> DefaultModels {
        DefaultModels {
            anthropic: self.anthropic_model.clone(),
            openai: self.openai_model.clone(),
            gemini: self.gemini_model.clone(),
        }
    }

    /// Whether a program can reach a model.
    pub fn has_provider_for(&self, protocol: ModelProtocol) -> bool {
        match protocol {
            ModelProtocol::Anthropic => self.anthropic_key.is_some(),
            ModelProtocol::OpenaiChat | ModelProtocol::OpenaiResponses => self.openai_key.is_some(),
            ModelProtocol::Gemini => self.gemini_key.is_some(),
        }
    }
}

fn count_processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn parse_label(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').context("a label is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The memory of the machine in bytes.
fn read_memory() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).context("no MemTotal")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: RunnerSettings,
    }

    fn settings(arguments: &[&str]) -> RunnerSettings {
        Line::parse_from(["ioc-runner", "--url", "http://here"].iter().chain(arguments)).settings
    }

    #[test]
    fn a_name_that_the_control_plane_would_refuse_is_refused_at_once() {
        for (name, is_good) in [("LAPTOP-1", true), ("host.example", true), ("-a", false), ("a b", false), ("", false)]
        {
            assert_eq!(settings(&[&format!("--name={name}")]).check().is_ok(), is_good, "{name}");
        }
        for (pool, is_good) in [("farm-2", true), ("Farm", false), ("a_b", false)] {
            assert_eq!(settings(&["--pool", pool]).check().is_ok(), is_good, "{pool}");
        }
        settings(&["--slots", "0"]).check().unwrap_err();
    }

    #[test]
    fn permissions_are_pairs_of_a_kind_and_a_rule() {
        use crate::acp::{PermissionRule, ToolKind};
        let policy = settings(&["--permissions", "execute=ask, default=deny"]).permissions().unwrap();
        assert_eq!(policy.decide(Some(ToolKind::Execute)), PermissionRule::Ask);
        assert_eq!(policy.decide(Some(ToolKind::Edit)), PermissionRule::Deny);
        assert!(settings(&[]).permissions().unwrap().allows_everything());
        for wrong in ["execute", "execute=maybe", "run=ask"] {
            settings(&["--permissions", wrong]).check().unwrap_err();
        }
    }

    #[test]
    fn the_pool_is_named_after_the_runner_unless_it_is_set() {
        assert_eq!(settings(&["--name", "My_Host.example"]).pool_name(), "my-host-example");
        assert_eq!(settings(&["--pool", "farm"]).pool_name(), "farm");
    }

    #[test]
    fn a_label_is_a_name_and_a_value() {
        let labels = settings(&["--label", "zone=a", "--label", "gpu=none=0"]).labels;
        assert_eq!(labels, [("zone".to_owned(), "a".to_owned()), ("gpu".to_owned(), "none=0".to_owned())]);
        assert!(Line::try_parse_from(["ioc-runner", "--url", "http://here", "--label", "zone"]).is_err());
    }

    #[test]
    fn a_provider_exists_only_with_its_key() {
        let names =
            |arguments: &[&str]| settings(arguments).providers().into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(&["--anthropic-key", "k"]), ["anthropic"]);
        assert_eq!(names(&["--openai-key", "k", "--anthropic-key", "k"]), ["anthropic", "openai"]);
        assert_eq!(names(&["--gemini-key", "k"]), ["google"]);
        assert!(settings(&["--slots", "3"]).count_slots() == 3 && settings(&[]).count_slots() >= 1);
    }
}
