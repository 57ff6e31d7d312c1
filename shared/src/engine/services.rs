//! The handles of the run engine.

use std::{ops::Deref, sync::Arc};

use crate::{engine::admission_gate::AdmissionGate, sessions::services::SessionServices};

/// The handles that the steps of a run need. Clones share them.
#[derive(Clone)]
pub struct Engine(Arc<EngineParts>);

/// The fields of [`Engine`].
pub struct EngineParts {
    pub sessions: SessionServices,
    pub(crate) admission_gate: AdmissionGate,
}

impl EngineParts {
    pub fn new(sessions: SessionServices) -> Self {
        Self { sessions, admission_gate: AdmissionGate::default() }
    }
}

impl Engine {
    pub fn new(parts: EngineParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Engine {
    type Target = EngineParts;

    fn deref(&self) -> &EngineParts {
        &self.0
    }
}

impl Deref for EngineParts {
    type Target = SessionServices;

    fn deref(&self) -> &SessionServices {
        &self.sessions
    }
}
