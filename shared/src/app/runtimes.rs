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
        registry::Kind,
        scripted::ScriptedAgent,
    },
    app::{config::Config, stores::Stores},
};

/// Creates the runtime of a kind of agent, or none if this process does not link it.
pub type RuntimeFactory = fn(&Config, Kind, &Stores<'_>) -> Option<Arc<dyn AgentRuntime>>;

/// Every runtime.
pub fn all_runtimes(config: &Config, kind: Kind, stores: &Stores<'_>) -> Option<Arc<dyn AgentRuntime>> {
    Some(match kind {
        Kind::Scripted => Arc::new(ScriptedAgent::new(stores.clock.clone())),
        Kind::Manual => Arc::new(Manual),
        Kind::Eap => Arc::new(eap_runtime(config, stores)),
        Kind::A2a => Arc::new(A2a::new(a2a_settings(config))),
    })
}

/// The runtime of external agents.
fn eap_runtime(config: &Config, stores: &Stores<'_>) -> Eap {
    Eap::new(client::EapSettings {
        tasks: Tasks {
            db: stores.db.clone(),
            notifier: stores.notifier.clone(),
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
pub fn no_runtimes(_: &Config, _: Kind, _: &Stores<'_>) -> Option<Arc<dyn AgentRuntime>> {
    None
}
