//! Stand-in until `dataset` is merged.
pub mod recipe;
pub mod service;
use crate::{id::{DatasetId, SessionId, TrainingJobId}, session::outcome::Failure, trainer::TrainingFile};
pub use recipe::{Format, Recipe};
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset { pub id: DatasetId, pub job_id: TrainingJobId, pub sha256: String, pub training: TrainingFile, pub held_out: Option<TrainingFile> }
#[derive(Clone, Debug, PartialEq)]
pub enum Curated { Made(Dataset), Refused(Failure) }
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LeftOut { Filtered, TooLowSuccess, EmptyTranscript, TooLong, Duplicate, NearDuplicate, Deleted }
pub type Unused = SessionId;
