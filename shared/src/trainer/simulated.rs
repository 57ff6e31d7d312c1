//! Plays a training by its seed: for trying the pipeline, and for tests. What a provider would keep on its servers it keeps
//! in the database, so that it goes on where it was when everything is started again.
//!
//! `parameters.extra` says how it is to go: see [`Script`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    clock::{Clock, Time},
    db::Db,
    error::Error,
    files::Files,
    session::outcome::{Category, Failure},
};

use super::{
    Connection, Evaluation, Look, Metrics, Order, Parameters, Phase, Point, Submitted, Trained, Trainer, TrainerState,
    TrainingFile, samples,
    trouble::{failure, passing, refusal},
};

/// What a million tokens of training cost, in micro-dollars, as providers charge for small models.
const MICROS_PER_MILLION_TOKENS: i64 = 3_000_000;

/// How a training is to go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Script {
    /// How long it takes: 0 to 86400.
    duration_seconds: f64,
    /// How many points its curve has: 1 to 10000.
    steps: i64,
    /// What the result is to be served as, `provider/model`.
    serves_as: Option<String>,
    fail: Option<Fault>,
}

impl Default for Script {
    fn default() -> Self {
        Self { duration_seconds: 30.0, steps: 60, serves_as: None, fail: None }
    }
}

/// What is to go wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    at: Place,
    #[serde(default = "agent")]
    category: Category,
    /// How many calls fail so; all of them when absent.
    #[serde(default)]
    times: Option<i32>,
    /// What is said of it.
    #[serde(default)]
    message: Option<String>,
    /// How long the provider asks to be left alone.
    #[serde(default)]
    retry_after_seconds: Option<u64>,
}

impl Fault {
    fn failure(&self, otherwise: &str) -> Failure {
        let message = self.message.as_deref().unwrap_or(otherwise);
        Failure { retry_after_seconds: self.retry_after_seconds, ..failure(self.category, "SIMULATED_FAULT", message) }
    }
}

const fn agent() -> Category {
    Category::Agent
}

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// The base model is not known.
    Check,
    Submit,
    Look,
    /// The training itself fails, half-way.
    Training,
    /// The job is not known any more, from half-way on.
    Lost,
    Evaluate,
    Cancel,
}

impl Script {
    fn of(parameters: &Parameters) -> Result<Self, Failure> {
        let refused = |why: String| {
            let remedy =
                "Correct parameters.extra in a new job; docs/fine-tuning.md says what the simulated trainer takes.";
            Failure { remedy: remedy.to_owned(), ..refusal("PARAMETERS", why) }
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

    /// How much of a training is over at a time: that is by the clock alone.
    fn share(&self, began_at: Time, at: Time) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a time of at most days in milliseconds")]
        let passed = (at - began_at).num_milliseconds().max(0) as f64 / 1000.0;
        if self.duration_seconds <= 0.0 { 1.0 } else { (passed / self.duration_seconds).min(1.0) }
    }
}

/// The simulated trainer.
#[derive(Clone)]
pub struct Simulated {
    db: Db,
    files: Files,
    clock: Clock,
}

/// A training that it plays, as its row stands.
struct Played {
    began_at: Time,
    tokens: i64,
    cancelled_at: Option<Time>,
}

impl Simulated {
    pub fn new(db: Db, files: Files, clock: Clock) -> Self {
        Self { db, files, clock }
    }

    /// Fails as the script says, as often as it says.
    async fn fault(&self, script: &Script, at: Place, order: &Order) -> Result<(), Failure> {
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
        Err(fault.failure("The simulated trainer was told to fail here."))
    }

    async fn write(
        &self,
        order: &Order,
        sql: &str,
        params: crate::db::Params<'_>,
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let done = async { self.db.tenant(order.tenant_id).await?.finish(sql, params).await };
        done.await.map_err(|error| unable(&error))
    }

    async fn find(&self, order: &Order) -> Result<Option<Played>, Failure> {
        let sql = "select began_at, tokens, cancelled_at from simulated_trainings
                   where tenant_id = $1 and job_id = $2 and attempt = $3 and tokens > 0";
        let rows = self.db.read(order.tenant_id, sql, &[&order.tenant_id, &order.job_id, &order.attempt]).await;
        let rows = rows.map_err(|error| unable(&error))?;
        let read = |row: &tokio_postgres::Row| {
            Ok::<_, tokio_postgres::Error>(Played {
                began_at: row.try_get("began_at")?,
                tokens: row.try_get("tokens")?,
                cancelled_at: row.try_get("cancelled_at")?,
            })
        };
        rows.first().map(read).transpose().map_err(|error| unable(&error.into()))
    }

    /// Reads a file as those do who really train with it: it must be what was ordered, sample by sample.
    async fn read(&self, file: &TrainingFile) -> Result<(), Failure> {
        samples::measure(&self.files, file, samples::conversation).await.map(drop)
    }
}

fn unable(error: &Error) -> Failure {
    passing("DEPENDENCY_UNAVAILABLE", error.detail())
}

#[async_trait]
impl Trainer for Simulated {
    async fn check(&self, base_model: &str, parameters: &Parameters, _: &Connection) -> Result<(), Failure> {
        let script = Script::of(parameters)?;
        if script.fail.is_some_and(|fault| fault.at == Place::Check) {
            let message = format!("The simulated trainer does not know the base model {base_model}.");
            return Err(refusal("UNKNOWN_BASE_MODEL", message));
        }
        Ok(())
    }

    async fn submit(&self, order: &Order) -> Result<Submitted, Failure> {
        let script = Script::of(&order.parameters)?;
        self.fault(&script, Place::Submit, order).await?;
        self.read(&order.training).await?;
        let bytes = i64::try_from(order.training.bytes).unwrap_or(i64::MAX);
        let tokens = (bytes / 4).max(1).saturating_mul(order.parameters.epochs);
        let sql =
            "insert into simulated_trainings (tenant_id, job_id, attempt, began_at, tokens) values ($1, $2, $3, $4, $5)
                   on conflict (tenant_id, job_id, attempt) do update set tokens = excluded.tokens";
        let named: crate::db::Params<'_> =
            &[&order.tenant_id, &order.job_id, &order.attempt, &order.submitted_at, &tokens];
        self.write(order, sql, named).await?;
        let external_id = format!("sim-{}-{}", order.job_id, order.attempt);
        Ok(Submitted { external_id, state: told(-1) })
    }

    async fn look(&self, order: &Order, state: &TrainerState) -> Result<Look, Failure> {
        let script = Script::of(&order.parameters)?;
        self.fault(&script, Place::Look, order).await?;
        let seen = state.0["step"].as_i64().unwrap_or(-1);
        let nothing =
            |phase| Look { state: state.clone(), phase, progress: None, curve: Vec::new(), messages: Vec::new() };
        let Some(played) = self.find(order).await? else { return Ok(nothing(Phase::Unknown)) };
        if played.cancelled_at.is_some_and(|at| script.share(played.began_at, at) < 1.0) {
            return Ok(nothing(Phase::Cancelled));
        }
        let done = script.share(played.began_at, self.clock.now());
        let fault = script.fail.as_ref().filter(|_| done >= 0.5);
        if fault.is_some_and(|fault| fault.at == Place::Lost) {
            return Ok(nothing(Phase::Unknown));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most 10000 steps")]
        let step = (script.steps as f64 * done).floor() as i64;
        let curve: Vec<_> = (seen + 1..=step).map(|step| point(order, &script, step)).collect();
        let phase = match fault {
            Some(fault) if fault.at == Place::Training => {
                Phase::Failed(fault.failure("The simulated training failed half-way."))
            }
            _ if done >= 1.0 => Phase::Succeeded(trained(order, &script, &played)),
            _ => Phase::Training,
        };
        let messages = if seen < 0 { vec!["The simulated training began.".to_owned()] } else { Vec::new() };
        Ok(Look { state: told(step), phase, progress: Some(done), curve, messages })
    }

    async fn cancel(&self, order: &Order, _: &TrainerState) -> Result<(), Failure> {
        self.fault(&Script::of(&order.parameters)?, Place::Cancel, order).await?;
        let sql = "update simulated_trainings set cancelled_at = coalesce(cancelled_at, $4)
                   where tenant_id = $1 and job_id = $2 and attempt = $3";
        let now = self.clock.now();
        self.write(order, sql, &[&order.tenant_id, &order.job_id, &order.attempt, &now]).await?;
        Ok(())
    }

    async fn evaluate(&self, order: &Order, _: &TrainerState) -> Result<Evaluation, Failure> {
        let script = Script::of(&order.parameters)?;
        self.fault(&script, Place::Evaluate, order).await?;
        let Some(file) = &order.held_out else { return Ok(Evaluation::Unsupported) };
        self.read(file).await?;
        let luck = noise(order, &file.sha256);
        let last = point(order, &script, script.steps).loss;
        let metrics = Metrics {
            eval_loss: Some(last * (1.05 + 0.1 * luck)),
            accuracy: Some((0.95 - last / 10.0 - 0.05 * luck).clamp(0.0, 1.0)),
            ..Metrics::default()
        };
        Ok(Evaluation::Done { metrics, samples: file.samples })
    }
}

/// What it wants to remember: up to which step it told the curve.
fn told(step: i64) -> TrainerState {
    TrainerState(json!({"step": step}))
}

fn trained(order: &Order, script: &Script, played: &Played) -> Trained {
    let cost = i128::from(played.tokens) * i128::from(MICROS_PER_MILLION_TOKENS) / 1_000_000;
    Trained {
        model_identifier: script.serves_as.clone(),
        artifact: format!("simulated:{}/{}/{}", order.target_model_name, order.job_id, order.attempt),
        metrics: Metrics {
            final_loss: Some(point(order, script, script.steps).loss),
            training_duration_seconds: Some(script.duration_seconds),
            tokens_processed: Some(played.tokens),
            ..Metrics::default()
        },
        cost_micros: Some(i64::try_from(cost).unwrap_or(i64::MAX)),
    }
}

/// A point of the curve: it falls from about 2.5 to about 0.5, with noise that its seed decides.
fn point(order: &Order, script: &Script, step: i64) -> Point {
    #[expect(clippy::cast_precision_loss, reason = "at most 10000 steps")]
    let share = step as f64 / script.steps as f64;
    let jitter = 0.1 * (noise(order, &step.to_string()) - 0.5) * (1.0 - share);
    let loss = 0.5 + 2.0 * (-4.0 * share).exp() + jitter;
    let learning_rate = order.parameters.learning_rate * (1.0 - share);
    Point { step, loss, learning_rate: Some(learning_rate), eval_loss: None }
}

/// 0..1, the same for the same seed, base model, training file and word.
fn noise(order: &Order, word: &str) -> f64 {
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
