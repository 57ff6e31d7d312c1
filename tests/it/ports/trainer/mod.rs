//! The contract of every trainer: the same claims over a server that speaks OpenAI's API, over Bedrock (moto), over a
//! program on this machine, and over the one that plays a training in the database.

mod aws;
mod command;
mod lora;
mod member;
mod openai;
mod simulated;

use chrono::TimeDelta;
use harness::{faults::Fault, until};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::{
    kernel::{
        clock::Clock,
        failure::{Category, Failure},
        id::{TenantId, TrainingJobId},
    },
    platform::object_store::Files,
    training::trainers::{
        Evaluation, Order, Point, Submission, TrainerState, TrainingFile, TrainingObservation, TrainingPhase,
    },
};

use member::{Call, Member};

macro_rules! claims_of_every_trainer {
    ($($claim:ident)+) => {
        claims_of_every_trainer! { @of openai_compatible openai $($claim)+ }
        claims_of_every_trainer! { @of bedrock aws $($claim)+ }
        claims_of_every_trainer! { @of a_program command $($claim)+ }
        claims_of_every_trainer! { @of the_simulated simulated $($claim)+ }
    };
    (@of $name:ident $member:ident $($claim:ident)+) => {
        mod $name {
            $(#[tokio::test]
            async fn $claim() {
                Box::pin(super::$claim(&super::$member::member().await)).await;
            })+
        }
    };
}

claims_of_every_trainer! {
    what_is_submitted_twice_is_trained_once
    what_is_submitted_at_the_same_time_is_trained_once
    a_look_changes_nothing_and_goes_on_from_what_was_seen
    a_success_reports_its_result_and_is_evaluated
    without_a_held_out_side_there_is_nothing_to_evaluate
    a_failure_of_the_training_is_no_failure_to_look
    a_cancelled_training_may_be_cancelled_again
    an_unknown_training_may_be_cancelled
    an_unrecorded_training_is_cancelled_by_its_name
    cancelling_never_starts_a_training
    a_job_that_was_lost_is_unknown
    another_attempt_is_another_job
    each_fault_of_the_provider_has_its_category
    a_submission_that_died_half_way_is_taken_up_again
    a_dataset_that_is_not_the_recorded_one_is_not_trained_with
}

/// The content of a test's dataset: so many samples, in the form of messages.
async fn dataset(files: &Files, tenant_id: TenantId, name: &str, samples: u64) -> TrainingFile {
    let line = |n| {
        format!(
            "{{\"messages\":[{{\"role\":\"user\",\"content\":\"Question {n} of {name}\"}},{{\"role\":\"assistant\",\"content\":\"Answer {n}\"}}],\"metadata\":{{\"session_id\":\"{n}\"}}}}\n"
        )
    };
    let content: String = (0..samples).map(line).collect();
    let key = format!("{tenant_id}/datasets/{name}.jsonl");
    let sha256 = hex::encode(Sha256::digest(&content));
    let bytes = content.len() as u64;
    let chunk: Result<_, std::convert::Infallible> = Ok(content.into());
    files.write(&key, futures_util::stream::iter([chunk])).await.unwrap();
    TrainingFile { key, sha256, bytes, samples }
}

async fn order(member: &dyn Member) -> Order {
    let (tenant_id, job_id) = (member.tenant_id(), TrainingJobId::new());
    Order {
        tenant_id,
        job_id,
        attempt: 1,
        submitted_at: Clock::System.now(),
        base_model: member.base_model().to_owned(),
        target_model_name: "our fixer".to_owned(),
        parameters: member.parameters(),
        training: dataset(member.files(), tenant_id, "training", 12).await,
        held_out: Some(dataset(member.files(), tenant_id, "held-out", 3).await),
        connection: member.connection(),
    }
}

async fn submitted(member: &dyn Member) -> (Order, Submission) {
    let order = order(member).await;
    let submitted = member.trainer().submit(&order).await.unwrap();
    (order, submitted)
}

/// Observes until the observation is as expected: a program needs a moment to report.
async fn looked(
    member: &dyn Member,
    order: &Order,
    state: &TrainerState,
    good: impl Fn(&TrainingObservation) -> bool,
) -> TrainingObservation {
    let found = std::sync::Mutex::new(None);
    until(async || {
        let look = member.trainer().observe(order, state).await.unwrap();
        let is_good = good(&look);
        *found.lock().unwrap() = Some(look);
        is_good
    })
    .await;
    found.into_inner().unwrap().unwrap()
}

fn steps(curve: &[Point]) -> Vec<i64> {
    curve.iter().map(|point| point.step).collect()
}

async fn what_is_submitted_twice_is_trained_once(member: &dyn Member) {
    let (order, first) = submitted(member).await;
    let again = member.trainer().submit(&order).await.unwrap();
    assert_eq!(again.external_id, first.external_id);
    assert_eq!(member.jobs(&order).await, 1);
    member.succeed(&order).await;
    looked(member, &order, &again.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    assert_eq!(
        member.trainer().submit(&order).await.unwrap().external_id,
        first.external_id,
        "not even when it is over"
    );
    assert_eq!(member.jobs(&order).await, 1);
}

async fn what_is_submitted_at_the_same_time_is_trained_once(member: &dyn Member) {
    let order = order(member).await;
    let trainer = member.trainer();
    let (one, two, three) = tokio::join!(trainer.submit(&order), trainer.submit(&order), trainer.submit(&order));
    let ids = [one, two, three].map(|submitted| submitted.unwrap().external_id);
    let last = trainer.submit(&order).await.unwrap().external_id;
    assert_eq!(member.jobs(&order).await, 1);
    assert!(ids.contains(&last), "{ids:?} {last}");
}

async fn a_look_changes_nothing_and_goes_on_from_what_was_seen(member: &dyn Member) {
    let (order, submitted) = submitted(member).await;
    let before = member.trainer().observe(&order, &submitted.state).await.unwrap();
    assert!(matches!(before.phase, TrainingPhase::Waiting | TrainingPhase::Training), "{before:?}");
    member.train(&order, 0..4).await;
    if !member.reports_steps() {
        return;
    }
    let first = looked(member, &order, &submitted.state, |look| look.curve.len() == 4).await;
    assert_eq!(first.phase, TrainingPhase::Training);
    assert_eq!(steps(&first.curve), [0, 1, 2, 3]);
    let again = member.trainer().observe(&order, &submitted.state).await.unwrap();
    assert_eq!(again, first, "it may be made again, by whoever could not write what it showed");
    let nothing_new = member.trainer().observe(&order, &first.state).await.unwrap();
    assert_eq!((nothing_new.curve, nothing_new.messages), (vec![], vec![]));
    member.train(&order, 4..7).await;
    let second = looked(member, &order, &first.state, |look| look.curve.len() == 3).await;
    assert_eq!(steps(&second.curve), [4, 5, 6]);
    assert!(second.curve[0].loss < first.curve[0].loss);
    assert!(second.progress.unwrap() > first.progress.unwrap());
    assert!(second.state.0.to_string().len() < 4096, "what is remembered is small");
}

async fn a_success_reports_its_result_and_is_evaluated(member: &dyn Member) {
    let (order, submitted) = submitted(member).await;
    member.train(&order, 0..10).await;
    member.succeed(&order).await;
    let look = looked(member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    assert_eq!(steps(&look.curve), (0..10).collect::<Vec<_>>());
    let again = member.trainer().observe(&order, &look.state).await.unwrap();
    assert_eq!((again.phase, again.curve), (look.phase.clone(), vec![]), "who looks again sees it again");
    let TrainingPhase::Succeeded(trained) = look.phase else { unreachable!() };
    assert!(!trained.artifact.is_empty() && trained.metrics.final_loss.is_some(), "{trained:?}");
    let mut state = again.state;
    for _ in 0..1000 {
        match member.trainer().evaluate(&order, &state).await.unwrap() {
            Evaluation::Running(next) => state = next,
            Evaluation::Done { metrics, samples } => {
                assert!(metrics.eval_loss.is_some_and(|loss| member.measured(loss)) && samples == 3, "{metrics:?}");
                return;
            }
            Evaluation::Unsupported => panic!("it can be evaluated"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the evaluation does not end");
}

async fn without_a_held_out_side_there_is_nothing_to_evaluate(member: &dyn Member) {
    let mut order = order(member).await;
    order.held_out = None;
    let submitted = member.trainer().submit(&order).await.unwrap();
    member.succeed(&order).await;
    let look = looked(member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    assert_eq!(member.trainer().evaluate(&order, &look.state).await.unwrap(), Evaluation::Unsupported);
}

async fn a_failure_of_the_training_is_no_failure_to_look(member: &dyn Member) {
    let mut order = order(member).await;
    member.doom(&mut order);
    let submitted = member.trainer().submit(&order).await.unwrap();
    member.fail(&order).await;
    let look = looked(member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Failed(_))).await;
    let TrainingPhase::Failed(failure) = look.phase else { unreachable!() };
    assert!(failure.message.contains("the data is bad"), "{failure:?}");
    assert!(failure.remedy.contains("job") || failure.remedy.contains("again"), "{failure:?}");
    member.trainer().cancel(&order, &look.state).await.unwrap();
}

async fn a_cancelled_training_may_be_cancelled_again(member: &dyn Member) {
    let (order, submitted) = submitted(member).await;
    member.train(&order, 0..2).await;
    member.trainer().cancel(&order, &submitted.state).await.unwrap();
    let look = looked(member, &order, &submitted.state, |look| look.phase == TrainingPhase::Cancelled).await;
    member.trainer().cancel(&order, &look.state).await.unwrap();
    assert_eq!(member.trainer().observe(&order, &look.state).await.unwrap().phase, TrainingPhase::Cancelled);
    assert_eq!(member.jobs(&order).await, 1);
}

async fn an_unknown_training_may_be_cancelled(member: &dyn Member) {
    let never = order(member).await;
    member.trainer().cancel(&never, &TrainerState::default()).await.unwrap();
    assert_eq!(member.jobs(&never).await, 0);
    let (lost, submitted) = submitted(member).await;
    member.forget(&lost).await;
    member.trainer().cancel(&lost, &submitted.state).await.unwrap();
}

async fn an_unrecorded_training_is_cancelled_by_its_name(member: &dyn Member) {
    let (order, submitted) = submitted(member).await;
    member.train(&order, 0..2).await;
    member.trainer().cancel(&order, &TrainerState::default()).await.unwrap();
    looked(member, &order, &submitted.state, |look| look.phase == TrainingPhase::Cancelled).await;
}

async fn cancelling_never_starts_a_training(member: &dyn Member) {
    for status in [400, 401, 500] {
        let order = order(member).await;
        let mut unlucky = order.clone();
        if !member.meets(&mut unlucky, Call::Create, Fault::status(status)) {
            return;
        }
        member.trainer().submit(&unlucky).await.unwrap_err();
        member.trainer().cancel(&order, &TrainerState::default()).await.unwrap();
        assert_eq!(member.jobs(&order).await, 0, "{status}");
    }
}

async fn a_job_that_was_lost_is_unknown(member: &dyn Member) {
    let (order, submitted) = submitted(member).await;
    member.forget(&order).await;
    let look = member.trainer().observe(&order, &submitted.state).await.unwrap();
    assert_eq!((look.phase, look.curve), (TrainingPhase::Unknown, vec![]));
}

async fn another_attempt_is_another_job(member: &dyn Member) {
    let (first, submitted) = submitted(member).await;
    member.trainer().cancel(&first, &submitted.state).await.unwrap();
    let second = Order { attempt: 2, ..first.clone() };
    let again = member.trainer().submit(&second).await.unwrap();
    assert_ne!(again.external_id, submitted.external_id);
    let look = member.trainer().observe(&second, &again.state).await.unwrap();
    assert!(matches!(look.phase, TrainingPhase::Waiting | TrainingPhase::Training), "{look:?}");
}

async fn each_fault_of_the_provider_has_its_category(member: &dyn Member) {
    let (order, submitted) = submitted(member).await;
    let faults = [
        (Fault::status(400), Category::User, None),
        (Fault::status(401), Category::Auth, None),
        (Fault::status(403), Category::Auth, None),
        (Fault::Answer(429, vec![("retry-after", "17")], "{}"), Category::RateLimit, Some(17)),
        (Fault::status(500), Category::Transient, None),
        (Fault::Answer(503, vec![("retry-after", "5")], "<html>"), Category::Transient, Some(5)),
        (Fault::Answer(200, vec![], "<html>Welcome</html>"), Category::Transient, None),
        (Fault::Answer(302, vec![("location", "http://127.0.0.1:1/")], ""), Category::User, None),
        (Fault::Hang, Category::Transient, None),
    ];
    for (fault, category, rest) in faults {
        let mut unlucky = order.clone();
        if !member.meets(&mut unlucky, Call::Observe, fault.clone()) {
            return;
        }
        let failure = member.trainer().observe(&unlucky, &submitted.state).await.unwrap_err();
        assert_eq!((failure.category, failure.retry_after_seconds), (category, rest), "{fault:?}: {failure:?}");
        let mut another = self::order(member).await;
        assert!(member.meets(&mut another, Call::Create, fault.clone()));
        let failure: Failure = member.trainer().submit(&another).await.unwrap_err();
        assert_eq!((failure.category, failure.retry_after_seconds), (category, rest), "{fault:?}: {failure:?}");
        assert_eq!(member.jobs(&another).await, 0, "{fault:?}");
    }
    let mut unlucky = order.clone();
    assert!(member.meets(&mut unlucky, Call::Cancel, Fault::status(500)));
    assert_eq!(member.trainer().cancel(&unlucky, &submitted.state).await.unwrap_err().category, Category::Transient);
    assert!(member.trainer().observe(&order, &submitted.state).await.is_ok(), "it goes on once the fault is over");
}

async fn a_submission_that_died_half_way_is_taken_up_again(member: &dyn Member) {
    for (call, fault) in [
        (Call::Upload, Fault::status(500)),
        (Call::Upload, Fault::LoseAnswer),
        (Call::Create, Fault::status(500)),
        (Call::Create, Fault::LoseAnswer),
        (Call::Create, Fault::Hang),
    ] {
        let order = order(member).await;
        let mut unlucky = order.clone();
        if !member.meets(&mut unlucky, call, fault.clone()) {
            continue;
        }
        let failure = member.trainer().submit(&unlucky).await.unwrap_err();
        assert_eq!(failure.category, Category::Transient, "{call:?} {fault:?}");
        member.trainer().submit(&order).await.unwrap();
        assert_eq!(member.jobs(&order).await, 1, "{call:?} {fault:?}");
    }
}

async fn a_dataset_that_is_not_the_recorded_one_is_not_trained_with(member: &dyn Member) {
    let mut order = order(member).await;
    order.training.sha256 = "0".repeat(64);
    assert_eq!(member.trainer().submit(&order).await.unwrap_err().code, "DATASET_CHANGED");
    order.training.key = format!("{}/datasets/nowhere.jsonl", order.tenant_id);
    let failure = member.trainer().submit(&order).await.unwrap_err();
    assert_eq!((failure.category, failure.code.as_str()), (Category::Transient, "FILES_UNAVAILABLE"));
    assert_eq!(member.jobs(&order).await, 0);
}

/// A moment long ago: what was submitted then is older than anything a provider lists.
fn long_ago() -> shared::kernel::clock::Time {
    Clock::System.now() - TimeDelta::days(300)
}

fn extra(order: &mut Order, name: &str, value: impl Into<Value>) {
    order.parameters.extra.insert(name.to_owned(), value.into());
}
