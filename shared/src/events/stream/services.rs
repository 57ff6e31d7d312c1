//! The handles of the live stream: where its connections are, and its timings.

use std::{ops::Deref, sync::Arc};

use crate::{
    events::stream::{ConnectionBackend, StreamLimits, StreamTimings, cursor::CursorCipher},
    identity::services::IdentityServices,
};

/// The handles that the live stream needs. Clones share them.
#[derive(Clone)]
pub struct StreamServices(Arc<StreamParts>);

/// The fields of [`StreamServices`].
pub struct StreamParts {
    pub identity: IdentityServices,
    pub backend: ConnectionBackend,
    pub stream_timings: StreamTimings,
    pub stream_limits: StreamLimits,
    pub cursors: CursorCipher,
}

impl StreamServices {
    pub fn new(parts: StreamParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for StreamServices {
    type Target = StreamParts;

    fn deref(&self) -> &StreamParts {
        &self.0
    }
}

impl Deref for StreamParts {
    type Target = IdentityServices;

    fn deref(&self) -> &IdentityServices {
        &self.identity
    }
}
