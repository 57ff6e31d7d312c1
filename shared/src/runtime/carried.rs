//! Which runtimes a process carries. A function that speaks to no agent is given [`none`], and its binary holds no code of
//! theirs: it is loaded at each cold start, and the runtimes are a good part of what there is to load.

use std::sync::Arc;

use crate::{
    agent::Kind,
    cache::Cache,
    clock::Clock,
    config::Config,
    db::Db,
    error::{Error, Result},
    external::tasks::Tasks,
    files::Files,
};

use super::{
    AgentRuntime,
    a2a::{self, A2a},
    eap::{self, Eap},
    manual::Manual,
    opencode::{OfTenants, OpenCode},
    scripted::Scripted,
};

/// What runtimes may stand on.
pub struct Services<'a> {
    pub db: &'a Db,
    pub cache: &'a Cache,
    pub files: &'a Files,
    pub clock: &'a Clock,
}

/// Whose agents a runtime is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whose {
    Platform,
    Tenants,
}

/// Makes the runtime of a kind of agent as it is configured, where the process carries it.
pub type Carried = fn(&Config, (Whose, Kind), &Services<'_>) -> Result<Option<Arc<dyn AgentRuntime>>>;

/// Every runtime that is configured.
pub fn all(
    config: &Config,
    (whose, kind): (Whose, Kind),
    services: &Services<'_>,
) -> Result<Option<Arc<dyn AgentRuntime>>> {
    let clock = services.clock.clone();
    Ok(match (kind, &config.opencode) {
        (Kind::OpenCode, _) if whose == Whose::Tenants => {
            let (common, allowed) = (config.opencode_common.clone(), config.settings.outbound.clone());
            Some(Arc::new(OfTenants::new(common, config.pepper.clone(), clock, allowed)?))
        }
        (Kind::OpenCode, Some(settings)) => {
            let runtime = OpenCode::new(settings.clone(), clock);
            Some(Arc::new(runtime.map_err(|failure| Error::internal(failure.message))?))
        }
        (Kind::OpenCode, None) => None,
        (Kind::Scripted, _) => Some(Arc::new(Scripted::new(clock))),
        (Kind::Manual, _) => Some(Arc::new(Manual)),
        (Kind::Eap, _) => Some(Arc::new(external(config, services))),
        (Kind::A2a, _) => Some(Arc::new(A2a::new(a2a_settings(config)))),
    })
}

/// What speaks to external agents.
fn external(config: &Config, services: &Services<'_>) -> Eap {
    Eap::new(eap::Settings {
        tasks: Tasks {
            db: services.db.clone(),
            cache: services.cache.clone(),
            files: services.files.clone(),
            pepper: config.pepper.clone(),
            clock: services.clock.clone(),
            beat: config.settings.beat,
        },
        public_url: config.settings.public_url.as_deref().unwrap_or_default().to_owned(),
        outbound: config.settings.outbound.clone(),
        push_timeout: config.settings.push_timeout,
    })
}

fn a2a_settings(config: &Config) -> a2a::Settings {
    let settings = &config.settings;
    a2a::Settings::new(settings.outbound.clone(), config.pepper.clone(), settings.public_url.as_deref())
}

/// None: agents are known by their names, kinds and capacities.
pub fn none(_: &Config, _: (Whose, Kind), _: &Services<'_>) -> Result<Option<Arc<dyn AgentRuntime>>> {
    Ok(None)
}
