//! The settings of the trainer over the API of OpenAI.

use std::time::Duration;

/// Settings for all tenants.
#[derive(Clone, Debug)]
pub struct OpenaiSettings {
    pub call_time: Duration,
    pub upload_time: Duration,
    /// The price of a million trained tokens, in micro-dollars, by prefix of the base model.
    pub prices: Vec<(String, i64)>,
}

impl Default for OpenaiSettings {
    fn default() -> Self {
        Self { call_time: Duration::from_secs(20), upload_time: Duration::from_mins(10), prices: Vec::new() }
    }
}
