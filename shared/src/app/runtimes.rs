//! Which runtimes a process links. A function that speaks to no agent is given [`no_runtimes`], and its binary holds
//! no code of theirs: it is loaded at each cold start, and the runtimes are a good part of it.

use std::sync::Arc;

use crate::{
    agents::{
        a2a_client::{self, A2a},
        contract::AgentRuntime,
        eap::{
            client::{self, Eap},
            server::tasks::Tasks,
        },
        manual::Manual,
        opencode::{OfTenants, OpenCode},
        registry::Kind,
        scripted::ScriptedAgent,
    },
    app::{config::Config, stores::Stores},
    kernel::error::{Error, Result},
};

/// Whether a runtime serves the platform's own agents or those of tenants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgentOwnership {
    Platform,
    Tenants,
}

/// Creates the configured runtime of a kind of agent, or none if this process does not link it.
pub type RuntimeFactory = fn(&Config, (AgentOwnership, Kind), &Stores<'_>) -> Result<Option<Arc<dyn AgentRuntime>>>;

/// Every configured runtime.
pub fn all_runtimes(
    config: &Config,
    (whose, kind): (AgentOwnership, Kind),
    stores: &Stores<'_>,
) -> Result<Option<Arc<dyn AgentRuntime>>> {
    let clock = stores.clock.clone();
    Ok(match (kind, &config.opencode) {
        (Kind::OpenCode, _) if whose == AgentOwnership::Tenants => {
            let (common, allowed) = (config.opencode_common.clone(), config.settings.outbound.clone());
            Some(Arc::new(OfTenants::new(common, config.pepper.clone(), clock, allowed)?))
        }
        (Kind::OpenCode, Some(settings)) => {
            let runtime = OpenCode::new(settings.clone(), clock);
            Some(Arc::new(runtime.map_err(|failure| Error::internal(failure.message))?))
        }
        (Kind::OpenCode, None) => None,
        (Kind::Scripted, _) => Some(Arc::new(ScriptedAgent::new(clock))),
        (Kind::Manual, _) => Some(Arc::new(Manual)),
        (Kind::Eap, _) => Some(Arc::new(eap_runtime(config, stores))),
        (Kind::A2a, _) => Some(Arc::new(A2a::new(a2a_settings(config)))),
    })
}

/// The runtime of external agents.
fn eap_runtime(config: &Config, stores: &Stores<'_>) -> Eap {
    Eap::new(client::EapSettings {
        tasks: Tasks {
            db: stores.db.clone(),
            cache: stores.cache.clone(),
            files: stores.files.clone(),
            pepper: config.pepper.clone(),
            clock: stores.clock.clone(),
            heartbeat_interval: config.settings.heartbeat_interval,
        },
        public_url: config.settings.public_url.as_deref().unwrap_or_default().to_owned(),
        outbound: config.settings.outbound.clone(),
        push_timeout: config.settings.push_timeout,
    })
}

fn a2a_settings(config: &Config) -> a2a_client::A2aClientSettings {
    let settings = &config.settings;
    a2a_client::A2aClientSettings::new(settings.outbound.clone(), config.pepper.clone(), settings.public_url.as_deref())
}

/// No runtimes: agents are known by name, kind and capacity only.
pub fn no_runtimes(_: &Config, _: (AgentOwnership, Kind), _: &Stores<'_>) -> Result<Option<Arc<dyn AgentRuntime>>> {
    Ok(None)
}
