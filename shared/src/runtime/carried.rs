//! Which runtimes a process carries. A function that speaks to no agent is given [`none`], and its binary holds no code of
//! theirs: it is loaded at each cold start, and the runtimes are a good part of what there is to load.

use std::sync::Arc;

use crate::{
    agent::Kind,
    clock::Clock,
    config::Config,
    error::{Error, Result},
};

use super::{AgentRuntime, manual::Manual, opencode::OpenCode, scripted::Scripted};

/// Makes the runtime of a kind of agent as it is configured, where the process carries it.
pub type Carried = fn(&Config, Kind, &Clock) -> Result<Option<Arc<dyn AgentRuntime>>>;

/// Every runtime that is configured.
pub fn all(config: &Config, kind: Kind, clock: &Clock) -> Result<Option<Arc<dyn AgentRuntime>>> {
    Ok(match (kind, &config.opencode) {
        (Kind::OpenCode, Some(settings)) => {
            let runtime = OpenCode::new(settings.clone(), clock.clone());
            Some(Arc::new(runtime.map_err(|failure| Error::internal(failure.message))?))
        }
        (Kind::Scripted, _) => Some(Arc::new(Scripted::new(clock.clone()))),
        (Kind::Manual, _) => Some(Arc::new(Manual)),
        _ => None,
    })
}

/// None: agents are known by their names, kinds and capacities.
pub fn none(_: &Config, _: Kind, _: &Clock) -> Result<Option<Arc<dyn AgentRuntime>>> {
    Ok(None)
}
