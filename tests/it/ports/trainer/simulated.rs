//! What only the trainer that plays a training brings along: it keeps it in the database, and goes by its clock and
//! script.

use async_trait::async_trait;
use chrono::TimeDelta;
use harness::{Options, TestApp, faults::Fault};
use serde_json::{Value, json};
use shared::{
    kernel::{clock::Clock, failure::Category, id::TenantId},
    platform::object_store::Files,
    training::trainers::{Order, Parameters, Trainer, TrainerState, TrainingPhase, simulated::SimulatedTrainer},
};

use super::{Call, Member, extra, looked, order, submitted};

/// How long its trainings take, in seconds: a step of the curve each.
const STEPS: i64 = 9;

pub(super) struct SimulatedMember {
    world: TestApp,
    trainer: SimulatedTrainer,
    clock: Clock,
}

pub(super) async fn member() -> SimulatedMember {
    let world = TestApp::idle(Options::default()).await;
    let clock = Clock::fixed(Clock::System.now());
    let trainer = SimulatedTrainer::new(world.app.db.clone(), world.app.files.clone(), clock.clone());
    SimulatedMember { world, trainer, clock }
}

impl SimulatedMember {
    /// Lets so many seconds of a training be over.
    fn passes(&self, order: &Order, seconds: i64) {
        self.clock.advance(order.submitted_at + TimeDelta::seconds(seconds) - self.clock.now());
    }

    async fn rows(&self, order: &Order) -> i64 {
        let sql = format!("select count(*) from simulated_trainings where tokens > 0 and job_id = '{}'", order.job_id);
        self.world.superuser().await.number(&sql).await
    }
}

#[async_trait(?Send)]
impl Member for SimulatedMember {
    fn trainer(&self) -> &dyn Trainer {
        &self.trainer
    }

    fn files(&self) -> &Files {
        &self.world.app.files
    }

    fn tenant_id(&self) -> TenantId {
        self.world.tenant.id
    }

    fn parameters(&self) -> Parameters {
        let extra = json!({"duration_seconds": STEPS, "steps": STEPS}).as_object().cloned().unwrap();
        Parameters { extra, ..Parameters::default() }
    }

    fn doom(&self, order: &mut Order) {
        extra(order, "fail", json!({"at": "training", "message": "the data is bad"}));
    }

    fn measured(&self, loss: f64) -> bool {
        // Its final loss is half of one, and slightly worse on held-out samples.
        (0.5..0.6).contains(&loss)
    }

    async fn train(&self, order: &Order, steps: std::ops::Range<i64>) {
        self.passes(order, steps.end - 1);
    }

    async fn succeed(&self, order: &Order) {
        self.passes(order, STEPS);
    }

    async fn fail(&self, order: &Order) {
        self.passes(order, STEPS);
    }

    async fn jobs(&self, order: &Order) -> usize {
        usize::try_from(self.rows(order).await).unwrap()
    }

    async fn forget(&self, order: &Order) {
        let sql = format!("delete from simulated_trainings where job_id = '{}'", order.job_id);
        self.world.superuser().await.run(&sql).await;
    }

    fn meets(&self, order: &mut Order, call: Call, fault: Fault) -> bool {
        let at = match call {
            Call::Upload | Call::Create => "submit",
            Call::Observe => "observe",
            Call::Cancel => "cancel",
        };
        // It has no line over which an answer could be lost.
        let (category, rest) = match fault {
            Fault::LoseAnswer => return false,
            Fault::Answer(400 | 302, ..) => ("user", None),
            Fault::Answer(401 | 403, ..) => ("auth", None),
            Fault::Answer(429, headers, _) => ("rate_limit", seconds(&headers)),
            Fault::Answer(_, headers, _) => ("transient", seconds(&headers)),
            Fault::Hang => ("transient", None),
        };
        extra(order, "fail", json!({"at": at, "category": category, "retry_after_seconds": rest}));
        true
    }
}

fn seconds(headers: &[(&str, &str)]) -> Option<u64> {
    headers.iter().find(|(name, _)| *name == "retry-after").and_then(|(_, seconds)| seconds.parse().ok())
}

#[tokio::test]
async fn a_scripted_number_of_failures_precedes_the_training() {
    let member = member().await;
    let mut order = order(&member).await;
    extra(&mut order, "fail", json!({"at": "submit", "category": "transient", "times": 2}));
    for _ in 0..2 {
        assert_eq!(member.trainer.submit(&order).await.unwrap_err().category, Category::Transient);
        let look = member.trainer.observe(&order, &TrainerState::default()).await.unwrap();
        assert_eq!(
            (look.phase, member.jobs(&order).await),
            (TrainingPhase::Unknown, 0),
            "what was refused is not known"
        );
    }
    member.trainer.submit(&order).await.unwrap();
    assert_eq!(member.jobs(&order).await, 1);
}

#[tokio::test]
async fn the_same_seed_and_samples_give_the_same_curve_and_another_seed_another() {
    let member = member().await;
    let first = order(&member).await;
    let mut curves: Vec<Vec<f64>> = Vec::new();
    for seed in [None, None, Some(7)] {
        let mut order = Order { job_id: shared::kernel::id::TrainingJobId::new(), ..first.clone() };
        order.parameters.seed = seed;
        let state = member.trainer.submit(&order).await.unwrap().state;
        member.succeed(&order).await;
        let look = looked(&member, &order, &state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
        curves.push(look.curve.iter().map(|point| point.loss).collect());
    }
    assert_eq!(curves[0], curves[1]);
    assert_ne!(curves[0], curves[2]);
}

#[tokio::test]
async fn cancelling_a_finished_training_does_not_change_its_outcome() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    member.succeed(&order).await;
    member.trainer.cancel(&order, &submitted.state).await.unwrap();
    let look = member.trainer.observe(&order, &submitted.state).await.unwrap();
    assert!(matches!(look.phase, TrainingPhase::Succeeded(_)), "{look:?}");
}

#[tokio::test]
async fn another_process_sees_the_same_state_of_the_training() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    member.train(&order, 0..4).await;
    let here = member.trainer.observe(&order, &submitted.state).await.unwrap();
    let db = TestApp::on(member.world.database.clone(), Options::default()).await.app.db.clone();
    let there = SimulatedTrainer::new(db, member.files().clone(), member.clock.clone());
    assert_eq!(there.observe(&order, &submitted.state).await.unwrap(), here);
    assert_eq!(there.submit(&order).await.unwrap().external_id, submitted.external_id);
    assert_eq!(member.jobs(&order).await, 1);
}

#[tokio::test]
async fn an_invalid_script_is_refused_with_its_reason() {
    let member = member().await;
    for (script, word) in [
        (json!({"speed": 2}), "speed"),
        (json!({"steps": 0}), "steps"),
        (json!({"duration_seconds": 86_401}), "duration_seconds"),
        (json!({"serves_as": "nobody"}), "serves_as"),
    ] {
        let Value::Object(extra) = script else { unreachable!() };
        let parameters = Parameters { extra, ..Parameters::default() };
        let failure = member.trainer.check("a-model", &parameters, &member.connection()).await.unwrap_err();
        assert_eq!((failure.category, failure.code.as_str()), (Category::User, "PARAMETERS"));
        assert!(failure.message.contains(word), "{failure:?}");
    }
}
