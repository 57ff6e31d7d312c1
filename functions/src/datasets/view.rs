//! A dataset as it is shown.

use serde::Serialize;
use shared::{
    clock::Time,
    dataset::{Dataset, Recipe, Tally},
    id::{DatasetId, TrainingJobId},
    trainer::TrainingFile,
};
use utoipa::ToSchema;

/// Samples made of sessions. Never changed.
#[derive(Serialize, ToSchema)]
#[schema(as = Dataset)]
pub(crate) struct DatasetView {
    pub id: DatasetId,
    /// The job that it was made for, and in which of its attempts.
    job_id: TrainingJobId,
    attempt: i32,
    recipe: Recipe,
    /// Of both files: the SHA-256 of their hashes, each followed by a line feed.
    sha256: String,
    /// On both sides of the split.
    samples: u64,
    training: FileView,
    /// Null when every sample fell on one side of the split.
    held_out: Option<FileView>,
    tally: Tally,
    /// How many of its sessions were deleted after it was made. It still holds what they said: make a new one, and train anew,
    /// where that may not be.
    deleted_sessions: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// One side of the split: JSON lines.
#[derive(Serialize, ToSchema)]
#[schema(as = DatasetFile)]
struct FileView {
    sha256: String,
    bytes: u64,
    samples: u64,
}

impl From<TrainingFile> for FileView {
    fn from(file: TrainingFile) -> Self {
        Self { sha256: file.sha256, bytes: file.bytes, samples: file.samples }
    }
}

impl From<Dataset> for DatasetView {
    fn from(dataset: Dataset) -> Self {
        Self {
            id: dataset.id,
            job_id: dataset.job_id,
            attempt: dataset.attempt,
            sha256: dataset.sha256.clone(),
            samples: dataset.samples(),
            recipe: dataset.recipe,
            training: dataset.training.into(),
            held_out: dataset.held_out.map(FileView::from),
            tally: dataset.tally,
            deleted_sessions: dataset.deleted_sessions,
            created_at: dataset.created_at,
        }
    }
}
