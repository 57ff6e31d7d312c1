//! Datasets: training samples from successful sessions of a tenant.
//!
//! [`recipe`] selects sessions and the format, [`transcript`] converts the log of a session to messages, [`redaction`]
//! removes secrets and personal data, [`duplicates`] drops duplicates, [`split`] separates training from held-out
//! samples, and [`sample`] writes a line: all pure, and combined by [`curation`]. [`source`] reads sessions in batches,
//! [`output`] writes the files, and [`service`] holds the use cases. docs/datasets.md is the user guide.

pub mod curation;
pub mod duplicates;
mod left_out;
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
    kernel::{
        clock::Time,
        failure::Failure,
        id::{DatasetId, SessionId, TrainingJobId},
    },
    training::trainers::TrainingFile,
};

pub use self::{
    left_out::ExclusionCause,
    recipe::{DatasetFormat, Recipe},
    split::Split,
};

/// A dataset: samples from sessions, in the object store. Immutable.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub id: DatasetId,
    pub job_id: TrainingJobId,
    pub attempt: i32,
    pub recipe: Recipe,
    /// The hash of both files: see [`digest`].
    pub sha256: String,
    pub training: TrainingFile,
    /// Absent when every sample fell on one side of the split.
    pub held_out: Option<TrainingFile>,
    pub tally: DatasetTally,
    /// How many of its sessions were deleted since.
    pub deleted_sessions: i64,
    pub created_at: Time,
}

impl Dataset {
    pub fn format(&self) -> DatasetFormat {
        self.recipe.format
    }

    /// The samples of both sides.
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

/// The SHA-256 of a whole dataset: of the hashes of its two files in hexadecimal, each followed by a line feed. The
/// second line is empty when nothing is held out.
pub fn digest(training: &str, held_out: Option<&str>) -> String {
    hex::encode(Sha256::digest(format!("{training}\n{}\n", held_out.unwrap_or_default())))
}

/// The outcome of a curation.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one of each job")]
pub enum CurationOutcome {
    Made(Dataset),
    /// There are no or too few training samples: `NO_CONSENT`, `NO_SAMPLES`, `TOO_FEW_SAMPLES`.
    Refused(Failure),
}

/// The statistics of a curation.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetTally)]
pub struct DatasetTally {
    /// The number of completed sessions that were examined, newest first.
    pub looked_at: u64,
    /// The number of samples.
    pub samples: u64,
    /// The number of sessions that were left out, by reason.
    pub left_out: BTreeMap<ExclusionCause, u64>,
    /// The number of redactions, by kind of secret.
    pub redactions: BTreeMap<String, u64>,
    /// The size of the samples in bytes.
    pub bytes: u64,
    /// An estimate of the number of tokens: one for every four bytes of text.
    pub tokens: u64,
    /// Whether the curation ended because the limit of the recipe was reached.
    pub limit_reached: bool,
}

/// A source session of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = DatasetSession)]
pub struct DatasetSession {
    /// The session.
    pub session_id: SessionId,
    /// The file that contains the sample of the session.
    pub split: Split,
    /// When the session was deleted; null while it exists.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_dataset_distinguishes_its_two_splits() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(digest(&a, None), digest(&a, None));
        assert_ne!(digest(&a, Some(&b)), digest(&b, Some(&a)));
        assert_ne!(digest(&a, None), digest(&a, Some(&a)));
    }
}
