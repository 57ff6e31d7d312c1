//! The assembled product: every handle, its configuration, and what runs each minute. Cheap to clone.

pub mod builder;
pub mod config;
pub mod health;
pub mod reconciler;
pub mod runtimes;
pub mod settings;
pub mod stores;
pub mod trainers;

use std::{ops::Deref, sync::Arc};

use crate::training::services::TrainingServices;

pub use settings::Settings;

/// The product. It dereferences to the handles of each room, from training down to the platform.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

/// The fields of an [`App`].
pub struct AppParts {
    pub training: TrainingServices,
    pub settings: Settings,
}

impl App {
    pub fn new(training: TrainingServices, settings: Settings) -> Self {
        Self(Arc::new(AppParts { training, settings }))
    }
}

impl Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl Deref for AppParts {
    type Target = TrainingServices;

    fn deref(&self) -> &TrainingServices {
        &self.training
    }
}
