//! The two files of a dataset while they are written. They are seen by nobody before both are whole and the dataset's row
//! names them: each try writes under keys of its own.

use crate::{
    error::Result,
    files::{Files, Upload},
    id::{DatasetId, TenantId, TrainingJobId},
    trainer::TrainingFile,
};

use super::{curation::Sample, split::Split};

/// Where the files of one dataset go, and those of other tries of the same job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) tenant_id: TenantId,
    pub(super) job_id: TrainingJobId,
    pub(super) attempt: i32,
    pub(super) dataset_id: DatasetId,
}

impl Place {
    /// All tries of this attempt of the job.
    pub(super) fn of_attempt(&self) -> String {
        format!("{}/datasets/{}/{}", self.tenant_id, self.job_id, self.attempt)
    }

    pub(super) fn folder(&self) -> String {
        format!("{}/{}", self.of_attempt(), self.dataset_id)
    }

    fn key(&self, split: Split) -> String {
        format!("{}/{}.jsonl", self.folder(), split.name())
    }
}

/// Both files under way.
pub(super) struct Output {
    training: Side,
    held_out: Side,
}

struct Side {
    upload: Upload,
    samples: u64,
}

impl Output {
    pub(super) fn new(files: &Files, place: &Place) -> Self {
        let side = |split| Side { upload: files.upload(place.key(split)), samples: 0 };
        Self { training: side(Split::Training), held_out: side(Split::HeldOut) }
    }

    pub(super) async fn write(&mut self, sample: Sample) -> Result<()> {
        let side = match sample.split {
            Split::Training => &mut self.training,
            Split::HeldOut => &mut self.held_out,
        };
        side.samples += 1;
        side.upload.write(sample.line.into()).await
    }

    /// Makes the files whole: what is trained with, and what is held out if anything is. When all fell on the side that is
    /// held out, it is trained with: measuring on what nobody trained would say nothing.
    pub(super) async fn finish(self) -> Result<Option<(TrainingFile, Option<TrainingFile>)>> {
        let held_out = match self.held_out.finish().await {
            Ok(held_out) => held_out,
            Err(error) => {
                self.training.upload.abort().await;
                return Err(error);
            }
        };
        let training = self.training.finish().await?;
        Ok(match (training, held_out) {
            (Some(training), held_out) => Some((training, held_out)),
            (None, Some(all)) => Some((all, None)),
            (None, None) => None,
        })
    }

    pub(super) async fn abort(self) {
        self.training.upload.abort().await;
        self.held_out.upload.abort().await;
    }
}

impl Side {
    async fn finish(self) -> Result<Option<TrainingFile>> {
        if self.samples == 0 {
            self.upload.abort().await;
            return Ok(None);
        }
        let (key, samples) = (self.upload.key().to_owned(), self.samples);
        let written = self.upload.finish().await?;
        Ok(Some(TrainingFile { key, sha256: written.sha256, bytes: written.bytes, samples }))
    }
}
