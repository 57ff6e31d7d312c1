//! The steps of a training job: curate, submit, observe, evaluate, register, stop. Each may be repeated from its
//! beginning by another worker.

use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    kernel::{
        error::{Code, Error, Result},
        failure::{Category, Failure},
    },
    models::registry::{self, ModelVersionRegistration, metrics::Metrics},
    training::services::TrainingServices,
    training::{
        datasets::{self, CurationOutcome, Recipe},
        trainers::{Evaluation, Order, Trainer, TrainerConnection, TrainingPhase},
    },
};

use super::{
    EvaluationSummary, JobDataset, MAX_FAILED_STEPS, MAX_INTERRUPTED_STEPS, MeasuredBy, TrainingJob, job_failure,
    progress, prompts,
    status::TrainingStatus,
    store::{self, ClaimedJob},
    write::{OpenJobWrite, write, write_even_if_moved},
};

/// How long a started job of a deactivated tenant is delayed before it is checked again.
const INACTIVE_TENANT_DELAY: TimeDelta = TimeDelta::minutes(5);

/// Runs the due step of a claimed job.
pub(super) async fn run_step(services: &TrainingServices, claimed: ClaimedJob) -> Result<()> {
    let ClaimedJob { job, tenant_active, connection } = claimed;
    if job.schedule.interrupted_steps >= MAX_INTERRUPTED_STEPS {
        return write(services, &job, progress::on_retries_exhausted).await;
    }
    if job.schedule.failed_steps >= MAX_FAILED_STEPS {
        return write(services, &job, progress::on_failed_steps_exhausted).await;
    }
    let Some(trainer) = services.trainers.find_trainer(job.provider) else {
        let message = format!("The provider {} is not offered here.", job.provider.name());
        let remedy = "Make a job with a provider that GET /fine-tuning/providers says is offered.";
        let error = job_failure(Category::Policy, "PROVIDER_NOT_OFFERED", message, remedy);
        return record_failure(services, &job, error).await;
    };
    let connection = connection.open_credentials(&services.pepper, job.tenant_id, job.provider)?;
    let step = TrainingStep { services, job: &job, trainer, connection };
    match job.status {
        _ if job.stopping => step.stop().await,
        TrainingStatus::Queued if !tenant_active && job.submitted_at.is_none() => step.wait_for_tenant().await,
        TrainingStatus::Queued if job.dataset.is_none() => step.curate().await,
        TrainingStatus::Queued => step.submit().await,
        TrainingStatus::Running => step.observe().await,
        TrainingStatus::Evaluating if job.evaluation.is_none() => step.evaluate().await,
        TrainingStatus::Evaluating => step.register().await,
        TrainingStatus::Pending | TrainingStatus::Completed | TrainingStatus::Failed | TrainingStatus::Cancelled => {
            write(services, &job, |change| {
                change.job.schedule.next_step_at = None;
                Ok(())
            })
            .await
        }
    }
}

async fn record_failure(services: &TrainingServices, job: &TrainingJob, error: Failure) -> Result<()> {
    write(services, job, |change| progress::on_failure(change, error, &services.training_settings)).await
}

struct TrainingStep<'a> {
    services: &'a TrainingServices,
    job: &'a TrainingJob,
    trainer: &'a dyn Trainer,
    connection: TrainerConnection,
}

impl TrainingStep<'_> {
    /// Nothing is started for an inactive tenant. Jobs that a provider has already continue.
    async fn wait_for_tenant(&self) -> Result<()> {
        write(self.services, self.job, |change| {
            change.job.schedule.next_step_at = Some(change.now + INACTIVE_TENANT_DELAY);
            Ok(())
        })
        .await
    }

    async fn curate(&self) -> Result<()> {
        let (services, job) = (self.services, self.job);
        if let Err(error) = self.trainer.check(&job.base_model, &job.parameters, &self.connection).await {
            return record_failure(services, job, error).await;
        }
        if !store::begin_curation(&services.db, job).await? {
            return write(services, job, |_| Ok(())).await;
        }
        let recipe: Recipe = serde_json::from_value(job.recipe.clone())?;
        match datasets::service::curate_dataset(services, job.tenant_id, job.id, job.attempt, &recipe).await {
            Ok(CurationOutcome::Made(made)) => {
                let samples =
                    JobDataset { id: made.id, sha256: made.sha256, training: made.training, held_out: made.held_out };
                write(services, job, |change| {
                    progress::on_curated(change, samples);
                    Ok(())
                })
                .await
            }
            Ok(CurationOutcome::Refused(failure)) => write(services, job, |change| change.fail(failure)).await,
            Err(error) => record_failure(services, job, internal_failure(&error)).await,
        }
    }

    async fn submit(&self) -> Result<()> {
        let (services, job) = (self.services, self.job);
        let Some(since) = store::begin_handover(&services.db, job, services.clock.now()).await? else {
            return write(services, job, |_| Ok(())).await;
        };
        let handed = TrainingJob { submitted_at: Some(since), ..job.clone() };
        match self.trainer.submit(&self.training_order(&handed)?).await {
            Ok(taken) => {
                write_even_if_moved(services, job, |change, moved| {
                    if moved {
                        // Cancelled meanwhile: the id is needed to cancel it at the provider.
                        progress::record_handover(change, taken);
                        return Ok(());
                    }
                    progress::on_submitted(change, taken, &services.training_settings)
                })
                .await
            }
            // The response to an earlier submission may have been lost, so the provider may have the job.
            Err(error) if job.submitted_at.is_none() && progress::is_refusal(&error) => {
                write_even_if_moved(services, job, |change, _| progress::on_refused(change, error)).await
            }
            Err(error) => record_failure(services, job, error).await,
        }
    }

    async fn observe(&self) -> Result<()> {
        let (services, job) = (self.services, self.job);
        match self.trainer.observe(&self.training_order(job)?, &self.trainer_state()).await {
            Ok(observation) => {
                write_even_if_moved(services, job, |change, moved| {
                    if moved {
                        // Cancelled after the training completed: the result is not used, but it cost money.
                        if let TrainingPhase::Succeeded(trained) = observation.phase {
                            change.add_cost(trained.cost_micros);
                        }
                        return Ok(());
                    }
                    progress::on_observation(change, observation, &services.training_settings)
                })
                .await
            }
            Err(error) => record_failure(services, job, error).await,
        }
    }

    async fn evaluate(&self) -> Result<()> {
        let (services, job) = (self.services, self.job);
        if job.dataset.as_ref().is_none_or(|dataset| dataset.held_out.is_none()) {
            return self.skip_evaluation("no sample was held out").await;
        }
        let order = self.training_order(job)?;
        let measured = match self.trainer.evaluate(&order, &self.trainer_state()).await {
            Ok(Evaluation::Running(state)) if self.is_overdue() => {
                let longest = &services.training_settings;
                self.trainer.cancel(&order, &state).await.and_then(|()| Err(progress::too_long_to_measure(longest)))
            }
            Ok(Evaluation::Running(state)) => {
                return write(services, job, |change| {
                    progress::on_evaluation_running(change, state, &services.training_settings);
                    Ok(())
                })
                .await;
            }
            Ok(Evaluation::Done { metrics, samples }) => {
                Ok((EvaluationSummary { by: MeasuredBy::Trainer, samples, reason: None }, metrics))
            }
            Ok(Evaluation::Unsupported) => prompts::measure_prompts(services, job, &self.connection).await,
            Err(error) => Err(error),
        };
        match measured {
            Ok((measured, metrics)) => {
                write(services, job, |change| {
                    progress::on_evaluated(change, measured, &metrics);
                    Ok(())
                })
                .await
            }
            // The trained model is kept, even if it cannot be evaluated.
            Err(error) if !progress::is_retryable(&error, job.schedule.transient_failures + 1) => {
                self.skip_evaluation(&error.message).await
            }
            Err(error) => record_failure(services, job, error).await,
        }
    }

    /// An evaluation may take no longer than a training.
    fn is_overdue(&self) -> bool {
        progress::is_overdue(self.job.status_changed_at, self.services.clock.now(), &self.services.training_settings)
    }

    async fn skip_evaluation(&self, why: &str) -> Result<()> {
        let measured = EvaluationSummary { by: MeasuredBy::Nobody, samples: 0, reason: Some(why.to_owned()) };
        write(self.services, self.job, |change| {
            progress::on_evaluated(change, measured, &Metrics::default());
            Ok(())
        })
        .await
    }

    /// Registers the version and completes the job, in one transaction.
    async fn register(&self) -> Result<()> {
        let (services, job) = (self.services, self.job);
        let mut open = OpenJobWrite::begin(services, job).await?;
        if !open.moved {
            let by = open.change.by.clone();
            let new = model_registration(&open.change.job)?;
            let made =
                registry::service::register_version(&mut open.tx, job.tenant_id, by, open.change.now, &new).await?;
            progress::on_registered(&mut open.change, made.id, made.version)?;
        }
        open.finish(services).await
    }

    /// Cancels the job at the provider. If the response to its submission was lost, the provider finds it by its
    /// deterministic name.
    async fn stop(&self) -> Result<()> {
        let (services, job) = (self.services, self.job);
        match self.trainer.cancel(&self.training_order(job)?, &self.trainer_state()).await {
            Ok(()) => {
                write(services, job, |change| {
                    progress::on_stopped(change);
                    Ok(())
                })
                .await
            }
            Err(error) => record_failure(services, job, error).await,
        }
    }

    fn trainer_state(&self) -> crate::training::trainers::TrainerState {
        self.job.trainer_state.clone().unwrap_or_default()
    }

    fn training_order(&self, job: &TrainingJob) -> Result<Order> {
        let missing = || Error::internal("a job that was handed over has a dataset and the time of it");
        let (dataset, submitted_at) = job.dataset.clone().zip(job.submitted_at).ok_or_else(missing)?;
        Ok(Order {
            tenant_id: job.tenant_id,
            job_id: job.id,
            attempt: job.attempt,
            submitted_at,
            base_model: job.base_model.clone(),
            target_model_name: job.target_model_name.clone(),
            parameters: job.parameters.clone(),
            training: dataset.training,
            held_out: dataset.held_out,
            connection: self.connection.clone(),
        })
    }
}

fn model_registration(job: &TrainingJob) -> Result<ModelVersionRegistration> {
    let missing = || Error::internal("a job that is evaluated has a dataset and was trained");
    let (dataset, trained) = job.dataset.as_ref().zip(job.trained.as_ref()).ok_or_else(missing)?;
    let recipe: Recipe = serde_json::from_value(job.recipe.clone())?;
    let parameters = match serde_json::to_value(&job.parameters)? {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    Ok(ModelVersionRegistration {
        name: job.target_model_name.parse().map_err(|why: String| Error::internal(why))?,
        version: None,
        base_model: job.base_model.clone(),
        job_id: Some(job.id),
        dataset_id: Some(dataset.id),
        dataset_sha256: Some(dataset.sha256.clone()),
        recipe_hash: Some(recipe.hash()),
        parameters,
        provider: Some(job.provider.name().to_owned()),
        model_identifier: trained.model_identifier.clone(),
        artifact: Some(trained.artifact.clone()),
        metrics: job.metrics.clone(),
        cost_micros: trained.cost_micros,
        notes: None,
    })
}

/// Converts an error of ours to a failure of the job.
fn internal_failure(error: &Error) -> Failure {
    tracing::warn!(?error, "a training step failed");
    match error.code() {
        Code::DependencyUnavailable => Failure::transient("DEPENDENCY_UNAVAILABLE", error.detail()),
        _ => Failure::new(Category::Internal, "INTERNAL_ERROR", error.detail()),
    }
}
