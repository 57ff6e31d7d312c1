//! The trainers of this process, by provider.

use std::{collections::BTreeMap, sync::Arc};

use super::{Provider, Trainer};

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

    /// `None` if it is not configured, or not built into this process.
    pub fn find_trainer(&self, provider: Provider) -> Option<&dyn Trainer> {
        self.0.get(&provider).map(AsRef::as_ref)
    }
}
