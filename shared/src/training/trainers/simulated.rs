//! Simulates a training from a seed: for trying the pipeline, and for tests. Its server-side state is in the database,
//! so it survives restarts.
//!
//! `parameters.extra` controls the simulation: see [`Script`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    kernel::{
        clock::{Clock, Time},
        error::Error,
        failure::{Category, Failure},
    },
    models::registry::metrics::Metrics,
    platform::{object_store::Files, postgres::Db},
};

use super::{
    Evaluation, Order, Parameters, Point, Submission, TrainedArtifact, Trainer, TrainerConnection, TrainerState,
    TrainingFile, TrainingObservation, TrainingPhase, samples,
    trouble::{provider_failure, refused_failure, transient_failure},
};

/// The cost of a million training tokens, in micro-dollars.
const MICROS_PER_MILLION_TOKENS: i64 = 3_000_000;

/// The script of a simulated training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Script {
    /// The duration: 0 to 86400.
    duration_seconds: f64,
    /// The number of points of its curve: 1 to 10000.
    steps: i64,
    /// The identifier of the result, `provider/model`.
    serves_as: Option<String>,
    fail: Option<Fault>,
}

impl Default for Script {
    fn default() -> Self {
        Self { duration_seconds: 30.0, steps: 60, serves_as: None, fail: None }
    }
}

/// A simulated failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    at: FaultPoint,
    #[serde(default = "default_category")]
    category: Category,
    /// How many calls fail; all when absent.
    #[serde(default)]
    times: Option<i32>,
    /// The message.
    #[serde(default)]
    message: Option<String>,
    /// The `Retry-After`.
    #[serde(default)]
    retry_after_seconds: Option<u64>,
}

impl Fault {
    fn to_failure(&self, otherwise: &str) -> Failure {
        let message = self.message.as_deref().unwrap_or(otherwise);
        Failure {
            retry_after_seconds: self.retry_after_seconds,
            ..provider_failure(self.category, "SIMULATED_FAULT", message)
        }
    }
}

const fn default_category() -> Category {
    Category::Agent
}

/// The call that fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultPoint {
    /// The base model is unknown.
    Check,
    Submit,
    Observe,
    /// The training fails half-way.
    Training,
    /// The job is unknown from half-way on.
    Lost,
    Evaluate,
    Cancel,
}

impl Script {
    fn parse_script(parameters: &Parameters) -> Result<Self, Failure> {
        let refused = |why: String| {
            let remedy =
                "Correct parameters.extra in a new job; docs/fine-tuning.md says what the simulated trainer takes.";
            Failure { remedy: remedy.to_owned(), ..refused_failure("PARAMETERS", why) }
        };
        let script: Self = serde_json::from_value(Value::Object(parameters.extra.clone()))
            .map_err(|error| refused(format!("parameters.extra: {error}.")))?;
        if !(0.0..=86_400.0).contains(&script.duration_seconds) {
            return Err(refused("parameters.extra.duration_seconds must be 0 to 86400.".to_owned()));
        }
        if !(1..=10_000).contains(&script.steps) {
            return Err(refused("parameters.extra.steps must be 1 to 10000.".to_owned()));
        }
        let short = |name: &str| name.contains('/') && name.len() <= 300;
        if script.serves_as.as_deref().is_some_and(|name| !short(name)) {
            return Err(refused("parameters.extra.serves_as must be provider/model.".to_owned()));
        }
        Ok(script)
    }

    /// The progress at a time, by the clock alone.
    fn share_done(&self, began_at: Time, at: Time) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a time of at most days in milliseconds")]
        let passed = (at - began_at).num_milliseconds().max(0) as f64 / 1000.0;
        if self.duration_seconds <= 0.0 { 1.0 } else { (passed / self.duration_seconds).min(1.0) }
    }
}

/// The simulated trainer.
#[derive(Clone)]
pub struct SimulatedTrainer {
    db: Db,
    files: Files,
    clock: Clock,
}

/// The row of a simulated training.
struct SimulatedTraining {
    began_at: Time,
    tokens: i64,
    cancelled_at: Option<Time>,
}

impl SimulatedTrainer {
    pub fn new(db: Db, files: Files, clock: Clock) -> Self {
        Self { db, files, clock }
    }

    /// Fails as scripted.
    async fn play_fault(&self, script: &Script, at: FaultPoint, order: &Order) -> Result<(), Failure> {
        let Some(fault) = script.fail.as_ref().filter(|fault| fault.at == at) else { return Ok(()) };
        if let Some(times) = fault.times {
            // The row of a training has tokens: one without only counts.
            let sql = "insert into simulated_trainings (tenant_id, job_id, attempt, began_at, tokens, failures)
                       values ($1, $2, $3, $4, 0, 1)
                       on conflict (tenant_id, job_id, attempt) do update set failures = simulated_trainings.failures + 1
                       returning failures";
            let named = (&order.tenant_id, &order.job_id, &order.attempt, &order.submitted_at);
            let rows = self.write(order, sql, &[named.0, named.1, named.2, named.3]).await?;
            let failures: i32 = rows.first().and_then(|row| row.try_get("failures").ok()).unwrap_or(0);
            if failures > times {
                return Ok(());
            }
        }
        Err(fault.to_failure("The script of the simulated trainer fails here."))
    }

    async fn write(
        &self,
        order: &Order,
        sql: &str,
        params: crate::platform::postgres::Params<'_>,
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let done = async { self.db.tenant(order.tenant_id).await?.query_and_commit(sql, params).await };
        done.await.map_err(|error| store_failure(&error))
    }

    async fn find_played(&self, order: &Order) -> Result<Option<SimulatedTraining>, Failure> {
        let sql = "select began_at, tokens, cancelled_at from simulated_trainings
                   where tenant_id = $1 and job_id = $2 and attempt = $3 and tokens > 0";
        let rows = self.db.read(order.tenant_id, sql, &[&order.tenant_id, &order.job_id, &order.attempt]).await;
        let rows = rows.map_err(|error| store_failure(&error))?;
        let read = |row: &tokio_postgres::Row| {
            Ok::<_, tokio_postgres::Error>(SimulatedTraining {
                began_at: row.try_get("began_at")?,
                tokens: row.try_get("tokens")?,
                cancelled_at: row.try_get("cancelled_at")?,
            })
        };
        rows.first().map(read).transpose().map_err(|error| store_failure(&error.into()))
    }

    /// Verifies a file as real trainers do: its content must be what was ordered.
    async fn read(&self, file: &TrainingFile) -> Result<(), Failure> {
        samples::measure_file(&self.files, file, samples::conversation_line).await.map(drop)
    }
}

fn store_failure(error: &Error) -> Failure {
    transient_failure("DEPENDENCY_UNAVAILABLE", error.detail())
}

#[async_trait]
impl Trainer for SimulatedTrainer {
    async fn check(&self, base_model: &str, parameters: &Parameters, _: &TrainerConnection) -> Result<(), Failure> {
        let script = Script::parse_script(parameters)?;
        if script.fail.is_some_and(|fault| fault.at == FaultPoint::Check) {
            let message = format!("The simulated trainer does not know the base model {base_model}.");
            return Err(refused_failure("UNKNOWN_BASE_MODEL", message));
        }
        Ok(())
    }

    async fn submit(&self, order: &Order) -> Result<Submission, Failure> {
        let script = Script::parse_script(&order.parameters)?;
        self.play_fault(&script, FaultPoint::Submit, order).await?;
        self.read(&order.training).await?;
        let bytes = i64::try_from(order.training.bytes).unwrap_or(i64::MAX);
        let tokens = (bytes / 4).max(1).saturating_mul(order.parameters.epochs);
        let sql =
            "insert into simulated_trainings (tenant_id, job_id, attempt, began_at, tokens) values ($1, $2, $3, $4, $5)
                   on conflict (tenant_id, job_id, attempt) do update set tokens = excluded.tokens";
        let named: crate::platform::postgres::Params<'_> =
            &[&order.tenant_id, &order.job_id, &order.attempt, &order.submitted_at, &tokens];
        self.write(order, sql, named).await?;
        let external_id = format!("sim-{}-{}", order.job_id, order.attempt);
        Ok(Submission { external_id, state: state_at_step(-1) })
    }

    async fn observe(&self, order: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure> {
        let script = Script::parse_script(&order.parameters)?;
        self.play_fault(&script, FaultPoint::Observe, order).await?;
        let seen = state.0["step"].as_i64().unwrap_or(-1);
        let nothing = |phase| TrainingObservation {
            state: state.clone(),
            phase,
            progress: None,
            curve: Vec::new(),
            messages: Vec::new(),
        };
        let Some(played) = self.find_played(order).await? else { return Ok(nothing(TrainingPhase::Unknown)) };
        if played.cancelled_at.is_some_and(|at| script.share_done(played.began_at, at) < 1.0) {
            return Ok(nothing(TrainingPhase::Cancelled));
        }
        let done = script.share_done(played.began_at, self.clock.now());
        let fault = script.fail.as_ref().filter(|_| done >= 0.5);
        if fault.is_some_and(|fault| fault.at == FaultPoint::Lost) {
            return Ok(nothing(TrainingPhase::Unknown));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most 10000 steps")]
        let step = (script.steps as f64 * done).floor() as i64;
        let curve: Vec<_> = (seen + 1..=step).map(|step| curve_point(order, &script, step)).collect();
        let phase = match fault {
            Some(fault) if fault.at == FaultPoint::Training => {
                TrainingPhase::Failed(fault.to_failure("The simulated training failed half-way."))
            }
            _ if done >= 1.0 => TrainingPhase::Succeeded(trained_model(order, &script, &played)),
            _ => TrainingPhase::Training,
        };
        let messages = if seen < 0 { vec!["The simulated training began.".to_owned()] } else { Vec::new() };
        Ok(TrainingObservation { state: state_at_step(step), phase, progress: Some(done), curve, messages })
    }

    async fn cancel(&self, order: &Order, _: &TrainerState) -> Result<(), Failure> {
        self.play_fault(&Script::parse_script(&order.parameters)?, FaultPoint::Cancel, order).await?;
        let sql = "update simulated_trainings set cancelled_at = coalesce(cancelled_at, $4)
                   where tenant_id = $1 and job_id = $2 and attempt = $3";
        let now = self.clock.now();
        self.write(order, sql, &[&order.tenant_id, &order.job_id, &order.attempt, &now]).await?;
        Ok(())
    }

    async fn evaluate(&self, order: &Order, _: &TrainerState) -> Result<Evaluation, Failure> {
        let script = Script::parse_script(&order.parameters)?;
        self.play_fault(&script, FaultPoint::Evaluate, order).await?;
        let Some(file) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        self.read(file).await?;
        let luck = seeded_noise(order, &file.sha256);
        let last = curve_point(order, &script, script.steps).loss;
        let metrics = Metrics {
            eval_loss: Some(last * (1.05 + 0.1 * luck)),
            accuracy: Some((0.95 - last / 10.0 - 0.05 * luck).clamp(0.0, 1.0)),
            ..Metrics::default()
        };
        Ok(Evaluation::Done { metrics, samples: file.samples })
    }
}

/// The stored state: the last reported step of the curve.
fn state_at_step(step: i64) -> TrainerState {
    TrainerState(json!({"step": step}))
}

fn trained_model(order: &Order, script: &Script, played: &SimulatedTraining) -> TrainedArtifact {
    let cost = i128::from(played.tokens) * i128::from(MICROS_PER_MILLION_TOKENS) / 1_000_000;
    TrainedArtifact {
        model_identifier: script.serves_as.clone(),
        artifact: format!("simulated:{}/{}/{}", order.target_model_name, order.job_id, order.attempt),
        metrics: Metrics {
            final_loss: Some(curve_point(order, script, script.steps).loss),
            training_duration_seconds: Some(script.duration_seconds),
            tokens_processed: Some(played.tokens),
            ..Metrics::default()
        },
        cost_micros: Some(i64::try_from(cost).unwrap_or(i64::MAX)),
    }
}

/// A point of the curve: it falls from about 2.5 to about 0.5, with noise from the seed.
fn curve_point(order: &Order, script: &Script, step: i64) -> Point {
    #[expect(clippy::cast_precision_loss, reason = "at most 10000 steps")]
    let share = step as f64 / script.steps as f64;
    let jitter = 0.1 * (seeded_noise(order, &step.to_string()) - 0.5) * (1.0 - share);
    let loss = 0.5 + 2.0 * (-4.0 * share).exp() + jitter;
    let learning_rate = order.parameters.learning_rate * (1.0 - share);
    Point { step, loss, learning_rate: Some(learning_rate), eval_loss: None }
}

/// 0..1, the same for the same seed, base model, training file and word.
fn seeded_noise(order: &Order, word: &str) -> f64 {
    let mut hash = Sha256::new();
    let seed = order.parameters.seed.unwrap_or(0).to_string();
    for part in [seed.as_str(), &order.base_model, &order.training.sha256, word] {
        hash.update(part);
        hash.update([0]);
    }
    let mut first = [0; 4];
    first.copy_from_slice(&hash.finalize()[..4]);
    f64::from(u32::from_be_bytes(first)) / f64::from(u32::MAX)
}
