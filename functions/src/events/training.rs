//! The payloads of the events of a training job: in its own log, and in the topics of its tenant.

use serde::Deserialize;
use shared::{kernel::id::TrainingJobId, models::registry::metrics::Metrics, training::jobs::status::TrainingStatus};
use utoipa::ToSchema;

payload! {
    /// A training job was created.
    TrainingCreated {
        /// The status of the job.
        status: TrainingStatus,
    }

    /// The status of a training job changed.
    TrainingStatusChange {
        /// The previous status.
        from: TrainingStatus,
        /// The new status.
        to: TrainingStatus,
        /// Why the status changed.
        reason: String,
        /// The number of the attempt.
        attempt: i32,
    }

    /// The progress of a training job.
    TrainingProgress {
        /// The progress, 0 to 1; null if unknown.
        progress: Option<f64>,
        /// The last step; null if unknown.
        step: Option<i64>,
        /// The training loss at the last step; null if unknown.
        loss: Option<f64>,
    }

    /// A line of a training job's log.
    TrainingLogLine {
        /// `info`, `warn` or `error`.
        level: String,
        /// The text of the line.
        message: String,
    }

    /// The model version that a training job made.
    TrainingResult {
        /// The name of the model.
        model: String,
        /// The version.
        version: String,
        /// The metrics of the training.
        metrics: Metrics,
    }

    /// The status of a training job of the tenant changed.
    TenantTrainingStatusChange {
        /// The training job.
        job_id: TrainingJobId,
        /// The previous status.
        from: TrainingStatus,
        /// The new status.
        to: TrainingStatus,
        /// Why the status changed.
        reason: String,
        /// The number of the attempt.
        attempt: i32,
    }

    /// The progress of a training job of the tenant.
    TenantTrainingProgress {
        /// The training job.
        job_id: TrainingJobId,
        /// The progress, 0 to 1; null if unknown.
        progress: Option<f64>,
        /// The last step; null if unknown.
        step: Option<i64>,
        /// The training loss at the last step; null if unknown.
        loss: Option<f64>,
    }

    /// The model version that a training job of the tenant made.
    TenantTrainingResult {
        /// The training job.
        job_id: TrainingJobId,
        /// The name of the model.
        model: String,
        /// The version.
        version: String,
        /// The metrics of the training.
        metrics: Metrics,
    }
}
