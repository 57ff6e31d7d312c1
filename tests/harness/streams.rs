//! Serves the event streams of a test app, as a host does.

use std::sync::{Mutex, PoisonError};

use shared::{app::App, events::stream::hub::serve::serve_connections};
use tokio::task::JoinSet;

/// Serves the connections of an app that are in this process, until it is dropped or stopped.
pub(crate) struct StreamServer(Mutex<JoinSet<()>>);

impl StreamServer {
    pub(crate) fn of(app: &App) -> Self {
        let mut serving = JoinSet::new();
        if let Some(hub) = app.backend.hub().cloned() {
            let app = app.clone();
            serving.spawn(async move { serve_connections(&hub, &app).await });
        }
        Self(Mutex::new(serving))
    }

    /// Leaves the streams to somebody else in this process.
    pub(crate) fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
