//! Which trainers a process carries. A function that trains nothing is given [`none`], and its binary holds no code of
//! theirs; one on Lambda is given [`remote`], because what it starts as a process would not outlive its answer.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    clock::Clock,
    config::Config,
    db::Db,
    error::Result,
    files::Files,
    outbound::{Outbound, System},
};

use super::{Provider, Trainer, aws::Aws, command::Command, openai::Openai, simulated::Simulated};

/// What trainers may stand on.
pub struct Services<'a> {
    pub db: &'a Db,
    pub files: &'a Files,
    pub clock: &'a Clock,
}

/// The trainers of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Trainers(Arc<BTreeMap<Provider, Box<dyn Trainer>>>);

impl Trainers {
    pub fn new(trainers: impl IntoIterator<Item = (Provider, Box<dyn Trainer>)>) -> Self {
        Self(Arc::new(trainers.into_iter().collect()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// None where it is not configured, or not carried.
    pub fn of(&self, provider: Provider) -> Option<&dyn Trainer> {
        self.0.get(&provider).map(AsRef::as_ref)
    }
}

/// Makes the trainers of a process as they are configured.
pub type Carried = fn(&Config, &Services<'_>) -> Result<Trainers>;

/// Every trainer that is configured: for a host that stays.
pub fn all(config: &Config, services: &Services<'_>) -> Result<Trainers> {
    let mut trainers = elsewhere(config, services)?;
    if let Some(settings) = &config.training.command {
        let trainer = Command::new(settings.clone(), services.files.clone());
        trainers.push((Provider::Command, Box::new(trainer)));
    }
    Ok(Trainers::new(trainers))
}

/// Those that train elsewhere.
pub fn remote(config: &Config, services: &Services<'_>) -> Result<Trainers> {
    elsewhere(config, services).map(Trainers::new)
}

/// None: nothing is trained from here.
pub fn none(_: &Config, _: &Services<'_>) -> Result<Trainers> {
    Ok(Trainers::default())
}

fn elsewhere(config: &Config, services: &Services<'_>) -> Result<Vec<(Provider, Box<dyn Trainer>)>> {
    let (files, clock) = (services.files.clone(), services.clock.clone());
    let outbound = Outbound::new(config.settings.outbound.clone(), Arc::new(System))?;
    let openai = Openai::new(config.training.openai.clone(), files.clone(), outbound);
    let mut trainers: Vec<(Provider, Box<dyn Trainer>)> = vec![(Provider::Openai, Box::new(openai))];
    if config.settings.tuning.offers(Provider::Simulated) {
        let simulated = Simulated::new(services.db.clone(), files.clone(), clock.clone());
        trainers.push((Provider::Simulated, Box::new(simulated)));
    }
    if let Some(settings) = &config.training.aws {
        trainers.push((Provider::Aws, Box::new(Aws::new(settings.clone(), files, clock)?)));
    }
    Ok(trainers)
}
