//! From completed sessions to models: datasets, trainers and fine-tuning jobs.

pub mod datasets;
pub mod jobs;
pub mod services;
pub mod trainers;
