//! Which trainers a process carries: those functions alone that train and poll, as with runtimes (ADR 10).

use std::{collections::BTreeMap, sync::Arc};

use crate::{clock::Clock, config::Config, db::Db, error::Result, files::Files};

use super::{Provider, Trainer, simulated::Simulated};

/// The trainers of a process, by who trains. Cheap to clone.
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

/// What trainers may stand on.
pub struct Services<'a> {
    pub db: &'a Db,
    pub files: &'a Files,
    pub clock: &'a Clock,
}

/// Makes the trainers that a process carries, as they are configured.
pub type Carried = fn(&Config, &Services<'_>) -> Result<Trainers>;

/// Every trainer that is configured.
pub fn all(config: &Config, services: &Services<'_>) -> Result<Trainers> {
    let mut trainers: Vec<(Provider, Box<dyn Trainer>)> = Vec::new();
    if config.settings.tuning.offers(Provider::Simulated) {
        let (db, files, clock) = (services.db.clone(), services.files.clone(), services.clock.clone());
        trainers.push((Provider::Simulated, Box::new(Simulated::new(db, files, clock))));
    }
    Ok(Trainers::new(trainers))
}

/// None: jobs are known by their rows.
#[expect(clippy::unnecessary_wraps, reason = "it stands for `all`")]
pub fn none(_: &Config, _: &Services<'_>) -> Result<Trainers> {
    Ok(Trainers::default())
}
