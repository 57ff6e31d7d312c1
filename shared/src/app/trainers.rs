//! Which trainers a process links. A function that trains nothing is given [`no_trainers`], and its binary holds no
//! code of theirs. A Lambda function is given [`remote_trainers`], because a child process would not outlive its
//! response.

use std::sync::Arc;

use crate::{
    app::{config::Config, stores::Stores},
    kernel::error::Result,
    platform::http_client::{Outbound, System},
    training::trainers::{
        Provider, Trainer, Trainers, aws::Aws, command::Command, openai::Openai, simulated::SimulatedTrainer,
    },
};

/// Creates the configured trainers of a process.
pub type TrainerFactory = fn(&Config, &Stores<'_>) -> Result<Trainers>;

/// Every configured trainer, for a permanent host.
pub fn all_trainers(config: &Config, stores: &Stores<'_>) -> Result<Trainers> {
    let mut trainers = trainers_without_process(config, stores)?;
    if let Some(settings) = &config.training.command {
        let trainer = Command::new(settings.clone(), stores.files.clone());
        trainers.push((Provider::Command, Box::new(trainer)));
    }
    Ok(Trainers::new(trainers))
}

/// The trainers that do not start processes.
pub fn remote_trainers(config: &Config, stores: &Stores<'_>) -> Result<Trainers> {
    trainers_without_process(config, stores).map(Trainers::new)
}

/// No trainers.
pub fn no_trainers(_: &Config, _: &Stores<'_>) -> Result<Trainers> {
    Ok(Trainers::default())
}

fn trainers_without_process(config: &Config, stores: &Stores<'_>) -> Result<Vec<(Provider, Box<dyn Trainer>)>> {
    let (files, clock) = (stores.files.clone(), stores.clock.clone());
    let outbound = Outbound::new(config.settings.outbound.clone(), Arc::new(System))?;
    let openai = Openai::new(config.training.openai.clone(), files.clone(), outbound);
    let mut trainers: Vec<(Provider, Box<dyn Trainer>)> = vec![(Provider::Openai, Box::new(openai))];
    if config.settings.tuning.offers(Provider::Simulated) {
        let simulated = SimulatedTrainer::new(stores.db.clone(), files.clone(), clock.clone());
        trainers.push((Provider::Simulated, Box::new(simulated)));
    }
    if let Some(settings) = &config.training.aws {
        trainers.push((Provider::Aws, Box::new(Aws::new(settings.clone(), files, clock)?)));
    }
    Ok(trainers)
}
