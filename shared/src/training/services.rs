//! The handles of training: the trainers that this process can speak to.

use std::{ops::Deref, sync::Arc};

use crate::{
    engine::services::Engine,
    training::{jobs::TrainingSettings, trainers::Trainers},
};

/// The handles that use cases of training need. Clones share them.
#[derive(Clone)]
pub struct TrainingServices(Arc<TrainingParts>);

/// The fields of [`TrainingServices`].
pub struct TrainingParts {
    pub engine: Engine,
    pub trainers: Trainers,
    pub training_settings: TrainingSettings,
}

impl TrainingServices {
    pub fn new(parts: TrainingParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for TrainingServices {
    type Target = TrainingParts;

    fn deref(&self) -> &TrainingParts {
        &self.0
    }
}

impl Deref for TrainingParts {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}
