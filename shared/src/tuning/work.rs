//! The steps of a training job, each one thing: curate, submit, look, evaluate, register, stop. Every one may be done again,
//! from its beginning, by another worker.

use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    app::App,
    dataset::{self, Curated, Recipe},
    error::{Code, Error, Result},
    model::{self, Registration},
    session::outcome::{Category, Failure},
    trainer::{Connection, Evaluation, Metrics, Order, Phase, Trainer},
};

use super::{
    MAX_BROKEN_OFF, Measured, MeasuredBy, Samples, TrainingJob, failure, progress, prompts,
    status::Status,
    step::{Open, write, write_as_it_stands},
    store::{self, Claimed},
};

/// How long a started job of a deactivated tenant is left alone before it is looked at again.
const ASLEEP: TimeDelta = TimeDelta::minutes(5);

/// Does what is due of a claimed job.
pub(super) async fn one(app: &App, claimed: Claimed) -> Result<()> {
    let Claimed { job, tenant_active, connection } = claimed;
    if job.broken_off >= MAX_BROKEN_OFF {
        return write(app, &job, progress::gave_up).await;
    }
    let Some(trainer) = app.trainers.of(job.provider) else {
        let message = format!("The provider {} is not offered here.", job.provider.name());
        let remedy = "Make a job with a provider that GET /fine-tuning/providers says is offered.";
        let trouble = failure(Category::Policy, "PROVIDER_NOT_OFFERED", message, remedy);
        return troubled(app, &job, trouble).await;
    };
    let connection = connection.open(&app.keys.pepper, job.tenant_id, job.provider)?;
    let step = Step { app, job: &job, trainer, connection };
    match job.status {
        _ if job.stopping => step.stop().await,
        Status::Queued if !tenant_active && job.submitted_at.is_none() => step.sleep().await,
        Status::Queued if job.dataset.is_none() => step.curate().await,
        Status::Queued => step.submit().await,
        Status::Running => step.look().await,
        Status::Evaluating if job.evaluation.is_none() => step.evaluate().await,
        Status::Evaluating => step.register().await,
        Status::Pending | Status::Completed | Status::Failed | Status::Cancelled => {
            write(app, &job, |change| {
                change.job.next_step_at = None;
                Ok(())
            })
            .await
        }
    }
}

async fn troubled(app: &App, job: &TrainingJob, trouble: Failure) -> Result<()> {
    write(app, job, |change| progress::troubled(change, trouble, &app.settings.tuning)).await
}

struct Step<'a> {
    app: &'a App,
    job: &'a TrainingJob,
    trainer: &'a dyn Trainer,
    connection: Connection,
}

impl Step<'_> {
    /// Nothing is begun for a tenant that is not active; what its providers have already goes on.
    async fn sleep(&self) -> Result<()> {
        write(self.app, self.job, |change| {
            change.job.next_step_at = Some(change.now + ASLEEP);
            Ok(())
        })
        .await
    }

    async fn curate(&self) -> Result<()> {
        let (app, job) = (self.app, self.job);
        if let Err(trouble) = self.trainer.check(&job.base_model, &job.parameters, &self.connection).await {
            return troubled(app, job, trouble).await;
        }
        if !store::begin_curation(&app.db, job).await? {
            return write(app, job, |_| Ok(())).await;
        }
        let recipe: Recipe = serde_json::from_value(job.recipe.clone())?;
        match dataset::service::curate(app, job.tenant_id, job.id, job.attempt, &recipe).await {
            Ok(Curated::Made(made)) => {
                let samples =
                    Samples { id: made.id, sha256: made.sha256, training: made.training, held_out: made.held_out };
                write(app, job, |change| {
                    progress::curated(change, samples);
                    Ok(())
                })
                .await
            }
            Ok(Curated::Refused(failure)) => write(app, job, |change| change.fail(failure)).await,
            Err(error) => troubled(app, job, unable(&error)).await,
        }
    }

    async fn submit(&self) -> Result<()> {
        let (app, job) = (self.app, self.job);
        let Some(since) = store::begin_handover(&app.db, job, app.clock.now()).await? else {
            return write(app, job, |_| Ok(())).await;
        };
        let handed = TrainingJob { submitted_at: Some(since), ..job.clone() };
        match self.trainer.submit(&self.order(&handed)?).await {
            Ok(taken) => {
                write_as_it_stands(app, job, |change, moved| {
                    if moved {
                        // Called off meanwhile: what is told to stop must be known by its name.
                        progress::keep_handover(change, taken);
                        return Ok(());
                    }
                    progress::submitted(change, taken, &app.settings.tuning)
                })
                .await
            }
            // Of an earlier handover the answer may have been lost: then it may be there all the same.
            Err(trouble) if job.submitted_at.is_none() && progress::is_refusal(&trouble) => {
                write_as_it_stands(app, job, |change, _| progress::refused(change, trouble)).await
            }
            Err(trouble) => troubled(app, job, trouble).await,
        }
    }

    async fn look(&self) -> Result<()> {
        let (app, job) = (self.app, self.job);
        match self.trainer.look(&self.order(job)?, &self.state()).await {
            Ok(look) => {
                write_as_it_stands(app, job, |change, moved| {
                    if moved {
                        // Called off when it was done already: it is not used, and was not free.
                        if let Phase::Succeeded(trained) = look.phase {
                            change.spend(trained.cost_micros);
                        }
                        return Ok(());
                    }
                    progress::looked(change, look, &app.settings.tuning)
                })
                .await
            }
            Err(trouble) => troubled(app, job, trouble).await,
        }
    }

    async fn evaluate(&self) -> Result<()> {
        let (app, job) = (self.app, self.job);
        if job.dataset.as_ref().is_none_or(|dataset| dataset.held_out.is_none()) {
            return self.unmeasured("no sample was held out").await;
        }
        let order = self.order(job)?;
        let measured = match self.trainer.evaluate(&order, &self.state()).await {
            Ok(Evaluation::Running(state)) if self.is_overdue() => {
                let longest = &app.settings.tuning;
                self.trainer.cancel(&order, &state).await.and_then(|()| Err(progress::too_long_to_measure(longest)))
            }
            Ok(Evaluation::Running(state)) => {
                return write(app, job, |change| {
                    progress::evaluating(change, state, &app.settings.tuning);
                    Ok(())
                })
                .await;
            }
            Ok(Evaluation::Done { metrics, samples }) => {
                Ok((Measured { by: MeasuredBy::Trainer, samples, reason: None }, metrics))
            }
            Ok(Evaluation::Unsupported) => prompts::measure(app, job, &self.connection).await,
            Err(trouble) => Err(trouble),
        };
        match measured {
            Ok((measured, metrics)) => {
                write(app, job, |change| {
                    progress::measured(change, measured, &metrics);
                    Ok(())
                })
                .await
            }
            // What was trained is kept, measured or not.
            Err(trouble) if !progress::is_passing(&trouble, job.tries + 1) => self.unmeasured(&trouble.message).await,
            Err(trouble) => troubled(app, job, trouble).await,
        }
    }

    /// Nobody waits for a measurement for longer than for a training.
    fn is_overdue(&self) -> bool {
        progress::is_overdue(self.job.status_changed_at, self.app.clock.now(), &self.app.settings.tuning)
    }

    async fn unmeasured(&self, why: &str) -> Result<()> {
        let measured = Measured { by: MeasuredBy::Nobody, samples: 0, reason: Some(why.to_owned()) };
        write(self.app, self.job, |change| {
            progress::measured(change, measured, &Metrics::default());
            Ok(())
        })
        .await
    }

    /// The version and the end of the job, in one transaction.
    async fn register(&self) -> Result<()> {
        let (app, job) = (self.app, self.job);
        let mut open = Open::of(app, job).await?;
        if !open.moved {
            let by = open.change.by.clone();
            let new = registration(&open.change.job)?;
            let made = model::service::register(&mut open.tx, job.tenant_id, by, open.change.now, &new).await?;
            progress::registered(&mut open.change, made.id, made.version)?;
        }
        open.finish(app).await
    }

    /// Tells the provider that nobody wants the job any more. One whose answer to the handover was lost is found by its
    /// name: what the provider does not have is not made there for it.
    async fn stop(&self) -> Result<()> {
        let (app, job) = (self.app, self.job);
        match self.trainer.cancel(&self.order(job)?, &self.state()).await {
            Ok(()) => {
                write(app, job, |change| {
                    progress::stopped(change);
                    Ok(())
                })
                .await
            }
            Err(trouble) => troubled(app, job, trouble).await,
        }
    }

    fn state(&self) -> crate::trainer::TrainerState {
        self.job.trainer_state.clone().unwrap_or_default()
    }

    fn order(&self, job: &TrainingJob) -> Result<Order> {
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

fn registration(job: &TrainingJob) -> Result<Registration> {
    let missing = || Error::internal("a job that is evaluated has a dataset and was trained");
    let (dataset, trained) = job.dataset.as_ref().zip(job.trained.as_ref()).ok_or_else(missing)?;
    let recipe: Recipe = serde_json::from_value(job.recipe.clone())?;
    let parameters = match serde_json::to_value(&job.parameters)? {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    Ok(Registration {
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

/// What it means for a job that something of ours did not work.
fn unable(error: &Error) -> Failure {
    tracing::warn!(?error, "a training step could not do its work");
    match error.code() {
        Code::DependencyUnavailable => Failure::transient("DEPENDENCY_UNAVAILABLE", error.detail()),
        _ => Failure::new(Category::Internal, "INTERNAL_ERROR", error.detail()),
    }
}
