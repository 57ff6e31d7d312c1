//! Writes the two files of a dataset. They become visible when both are complete and the row of the dataset names them:
//! each attempt writes under its own keys.

use crate::{
    kernel::{
        error::Result,
        id::{DatasetId, TenantId, TrainingJobId},
    },
    platform::object_store::{Files, Upload},
    training::trainers::TrainingFile,
};

use super::{curation::CuratedSample, split::Split};

/// The keys of the files of a dataset, and of other attempts of the same job.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputLocation {
    pub(super) tenant_id: TenantId,
    pub(super) job_id: TrainingJobId,
    pub(super) attempt: i32,
    pub(super) dataset_id: DatasetId,
}

impl OutputLocation {
    /// The prefix of all tries of this attempt.
    pub(super) fn of_attempt(&self) -> String {
        format!("{}/datasets/{}/{}", self.tenant_id, self.job_id, self.attempt)
    }

    pub(super) fn folder_path(&self) -> String {
        format!("{}/{}", self.of_attempt(), self.dataset_id)
    }

    fn file_key(&self, split: Split) -> String {
        format!("{}/{}.jsonl", self.folder_path(), split.name())
    }
}

/// Both files, being written.
pub(super) struct Output {
    training: SplitOutput,
    held_out: SplitOutput,
}

struct SplitOutput {
    upload: Upload,
    samples: u64,
}

impl Output {
    pub(super) fn new(files: &Files, place: &OutputLocation) -> Self {
        let side = |split| SplitOutput { upload: files.start_upload(place.file_key(split)), samples: 0 };
        Self { training: side(Split::Training), held_out: side(Split::HeldOut) }
    }

    pub(super) async fn write(&mut self, sample: CuratedSample) -> Result<()> {
        let side = match sample.split {
            Split::Training => &mut self.training,
            Split::HeldOut => &mut self.held_out,
        };
        side.samples += 1;
        side.upload.write(sample.line.into()).await
    }

    /// Completes the files: training, and held out if not empty. When all samples fell on the held-out side, they
    /// become training samples, because evaluation without training is meaningless.
    pub(super) async fn finish_output(self) -> Result<Option<(TrainingFile, Option<TrainingFile>)>> {
        let held_out = match self.held_out.finish_side().await {
            Ok(held_out) => held_out,
            Err(error) => {
                self.training.upload.abort_upload().await;
                return Err(error);
            }
        };
        let training = self.training.finish_side().await?;
        Ok(match (training, held_out) {
            (Some(training), held_out) => Some((training, held_out)),
            (None, Some(all)) => Some((all, None)),
            (None, None) => None,
        })
    }

    pub(super) async fn abort_output(self) {
        self.training.upload.abort_upload().await;
        self.held_out.upload.abort_upload().await;
    }
}

impl SplitOutput {
    async fn finish_side(self) -> Result<Option<TrainingFile>> {
        if self.samples == 0 {
            self.upload.abort_upload().await;
            return Ok(None);
        }
        let (key, samples) = (self.upload.key().to_owned(), self.samples);
        let written = self.upload.finish_upload().await?;
        Ok(Some(TrainingFile { key, sha256: written.sha256, bytes: written.bytes, samples }))
    }
}
