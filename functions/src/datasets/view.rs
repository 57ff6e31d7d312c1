//! The representation of a dataset.

use serde::Serialize;
use shared::{
    kernel::{
        clock::Time,
        id::{DatasetId, TrainingJobId},
    },
    training::{
        datasets::{Dataset, DatasetTally, Recipe},
        trainers::TrainingFile,
    },
};
use utoipa::ToSchema;

/// A dataset of samples from sessions. It never changes.
#[derive(Serialize, ToSchema)]
#[schema(as = Dataset)]
pub(crate) struct DatasetView {
    /// The id of the dataset.
    pub id: DatasetId,
    /// The training job that the dataset was made for.
    job_id: TrainingJobId,
    /// The attempt of the job that the dataset was made in.
    attempt: i32,
    /// The recipe of the dataset.
    recipe: Recipe,
    /// The SHA-256 over the hashes of both files, each followed by a line feed, in hexadecimal.
    sha256: String,
    /// The number of samples in both files.
    samples: u64,
    /// The file of training samples.
    training: FileView,
    /// The file of held-out samples; null if there are none.
    held_out: Option<FileView>,
    /// The figures of the curation.
    tally: DatasetTally,
    /// The number of source sessions that were deleted later. The dataset still contains their text.
    deleted_sessions: i64,
    /// When the dataset was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// A file of samples, as JSON lines.
#[derive(Serialize, ToSchema)]
#[schema(as = DatasetFile)]
struct FileView {
    /// The SHA-256 of the file, in hexadecimal.
    sha256: String,
    /// The size of the file in bytes.
    bytes: u64,
    /// The number of samples in the file.
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
