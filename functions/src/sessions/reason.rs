//! The body of commands that accept a reason.

use serde::Deserialize;
use shared::kernel::error::{Error, Result};
use utoipa::ToSchema;

/// The reason of a command.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// The reason, which is recorded.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl Reason {
    pub(super) fn checked(self) -> Result<Option<String>> {
        match self.reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
            Some(text) if text.chars().count() > 500 || text.contains('\0') => {
                Err(Error::invalid_field("reason", "must have at most 500 characters, none of them NUL"))
            }
            other => Ok(other),
        }
    }
}
