//! Why a session became no sample.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a completed session became no sample.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionCause {
    /// The type, model, tag or time does not match the recipe.
    Filtered,
    TooLowSuccess,
    /// The agent gave no answer.
    EmptyTranscript,
    /// More than 256 KiB of transcript.
    TooLong,
    /// The same messages as a newer session.
    Duplicate,
    /// Nearly the same messages as a newer session.
    NearDuplicate,
    /// Deleted during the curation.
    Deleted,
}
