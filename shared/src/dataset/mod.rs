//! Datasets: samples made of a tenant's own good sessions, to train with.
//!
//! [`recipe`] says which sessions and in which form, [`transcript`] makes messages of a session's log, [`redaction`] takes
//! secrets and personal data out of them, [`duplicates`] drops what was there before, [`split`] parts training from
//! held-out, [`sample`] writes a line: all of that is pure, and [`curation`] puts it together. [`source`] reads sessions in
//! batches, [`output`] writes the files as they grow, and [`service`] has the use cases. docs/datasets.md tells it to people.

pub mod curation;
pub mod duplicates;
mod output;
pub mod recipe;
pub mod redaction;
pub mod sample;
pub mod service;
mod source;
pub mod split;
pub mod store;
pub mod transcript;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    clock::Time,
    id::{DatasetId, SessionId, TrainingJobId},
    session::outcome::Failure,
    trainer::TrainingFile,
};

pub use self::{
    recipe::{Format, Recipe},
    split::Split,
};

/// Samples made of sessions, as they lie in the file store. Never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub id: DatasetId,
    pub job_id: TrainingJobId,
    pub attempt: i32,
    pub recipe: Recipe,
    /// Of both files: see [`digest`].
    pub sha256: String,
    pub training: TrainingFile,
    /// Absent when every sample fell on one side of the split.
    pub held_out: Option<TrainingFile>,
    pub tally: Tally,
    /// How many of its sessions were deleted since.
    pub deleted_sessions: i64,
    pub created_at: Time,
}

impl Dataset {
    pub fn format(&self) -> Format {
        self.recipe.format
    }

    /// On both sides of the split.
    pub fn samples(&self) -> u64 {
        self.training.samples + self.held_out.as_ref().map_or(0, |file| file.samples)
    }

    pub fn file(&self, split: Split) -> Option<&TrainingFile> {
        match split {
            Split::Training => Some(&self.training),
            Split::HeldOut => self.held_out.as_ref(),
        }
    }
}

/// The SHA-256 of a whole dataset: of the hashes of its two files in hexadecimal, each followed by a line feed. The second
/// line is empty when nothing is held out.
pub fn digest(training: &str, held_out: Option<&str>) -> String {
    hex::encode(Sha256::digest(format!("{training}\n{}\n", held_out.unwrap_or_default())))
}

/// What came of curating.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one of each job")]
pub enum Curated {
    Made(Dataset),
    /// There is nothing to train with, and why: `NO_CONSENT`, `NO_SAMPLES`, `TOO_FEW_SAMPLES`.
    Refused(Failure),
}

/// Why a completed session became no sample.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// Another type, model, tag or time than the recipe asks for.
    Filtered,
    TooLowSuccess,
    /// Nobody answered the prompt.
    EmptyTranscript,
    /// More than 256 KiB of transcript.
    TooLong,
    /// The same messages as a newer session.
    Duplicate,
    /// Nearly the same messages as a newer session.
    NearDuplicate,
    /// Deleted while it was looked at.
    Deleted,
}

/// Curation in figures.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetTally)]
pub struct Tally {
    /// Completed sessions that were looked at, newest first.
    pub looked_at: u64,
    pub samples: u64,
    /// How many were left out, by why.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// How many places of the samples were redacted, by what stood there.
    pub redactions: BTreeMap<String, u64>,
    pub bytes: u64,
    /// An estimate: one for every four bytes of what the messages say.
    pub tokens: u64,
    /// Whether it ended because the recipe's limit was reached: older sessions were not looked at.
    pub limit_reached: bool,
}

/// Where a session of a dataset went.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = DatasetSession)]
pub struct Origin {
    pub session_id: SessionId,
    pub split: Split,
    /// Since when the session is gone; null while it is there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_dataset_tells_its_two_sides_apart() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(digest(&a, None), digest(&a, None));
        assert_ne!(digest(&a, Some(&b)), digest(&b, Some(&a)));
        assert_ne!(digest(&a, None), digest(&a, Some(&a)));
    }
}
