//! Properties of a trainer that is a program on this machine.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use harness::{child_process::root, until};
use nix::{
    sys::signal::kill,
    unistd::{Pid, getpgid},
};
use serde_json::json;
use shared::{
    kernel::{failure::Category, id::SessionId},
    platform::object_store::Files,
    training::trainers::{
        Evaluation, Order, Parameters, Trainer, TrainerConnection, TrainingPhase,
        command::{Command, CommandSettings},
    },
};

use super::{Member, extra, looked, order, submitted};

pub(super) struct CommandMember {
    trainer: Command,
    settings: CommandSettings,
    files: Files,
}

#[expect(clippy::unused_async, reason = "the suite awaits every member; others start a server")]
pub(super) async fn member() -> CommandMember {
    let folder = std::env::temp_dir().join(format!("ioc-training-{}", SessionId::new()));
    let program = root().join("tests/trainer/program.py").display().to_string();
    #[expect(clippy::disallowed_methods, reason = "where python is, is no configuration of the product")]
    let path = std::env::var("PATH").unwrap();
    let environment = vec![("PATH".to_owned(), path)];
    let settings = CommandSettings { program: "python3".to_owned(), arguments: vec![program], folder, environment };
    let files = Files::open_store("memory:").unwrap();
    CommandMember { trainer: Command::new(settings.clone(), files.clone()), settings, files }
}

impl Drop for CommandMember {
    fn drop(&mut self) {
        for folder in glob(&self.settings.folder, 2) {
            if let Some(pid) = pid_in(&folder.join("train.pid")) {
                let _ = nix::sys::signal::killpg(pid, nix::sys::signal::SIGKILL);
            }
        }
        let _ = fs::remove_dir_all(&self.settings.folder);
    }
}

/// The folders so many levels below.
fn glob(folder: &Path, depth: u32) -> Vec<PathBuf> {
    if depth == 0 {
        return vec![folder.to_owned()];
    }
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    found.flat_map(|entry| glob(&entry.path(), depth - 1)).collect()
}

fn pid_in(file: &Path) -> Option<Pid> {
    Some(Pid::from_raw(fs::read_to_string(file).ok()?.trim().parse().ok()?))
}

impl CommandMember {
    fn folder(&self, order: &Order) -> PathBuf {
        self.settings.folder.join(order.tenant_id.to_string()).join(format!("{}-{}", order.job_id, order.attempt))
    }

    /// Scripts what the program reports.
    fn say(&self, order: &Order, line: &str) {
        let say = self.folder(order).join("output/say");
        let mut file = fs::File::options().create(true).append(true).open(say).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    async fn runs(&self, order: &Order) -> Pid {
        let file = self.folder(order).join("train.pid");
        until(async || pid_in(&file).is_some()).await;
        pid_in(&file).unwrap()
    }
}

#[async_trait(?Send)]
impl Member for CommandMember {
    fn trainer(&self) -> &dyn Trainer {
        &self.trainer
    }

    fn files(&self) -> &Files {
        &self.files
    }

    async fn train(&self, order: &Order, steps: std::ops::Range<i64>) {
        self.runs(order).await;
        for step in steps {
            #[expect(clippy::cast_precision_loss, reason = "steps are few")]
            let (loss, progress) = (2.0 / (step + 1) as f64, step as f64 / 10.0);
            self.say(order, &json!({"step": step, "loss": loss, "progress": progress}).to_string());
        }
    }

    async fn succeed(&self, order: &Order) {
        self.say(order, r#"{"status": "succeeded", "final_loss": 0.25, "cost_usd": 0.5}"#);
    }

    async fn fail(&self, order: &Order) {
        self.say(order, r#"{"status": "failed", "code": "BAD_DATA", "message": "the data is bad"}"#);
    }

    async fn jobs(&self, order: &Order) -> usize {
        let folder = self.folder(order);
        if !folder.join("train.lock").exists() {
            return 0;
        }
        let starts = folder.join("output/starts");
        if !folder.join("cancelled").exists() {
            until(async || fs::read_to_string(&starts).is_ok_and(|starts| starts.ends_with('\n'))).await;
        }
        fs::read_to_string(starts).map_or(1, |starts| starts.lines().count())
    }

    async fn forget(&self, order: &Order) {
        let pid = self.runs(order).await;
        nix::sys::signal::killpg(pid, nix::sys::signal::SIGKILL).unwrap();
        fs::remove_dir_all(self.folder(order)).unwrap();
    }
}

#[tokio::test]
async fn a_training_outlives_a_restart_and_is_found_again() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    let pid = member.runs(&order).await;
    assert_eq!(getpgid(Some(pid)).unwrap(), pid, "it has a group of its own, which no signal for us reaches");
    assert_ne!(getpgid(Some(pid)).unwrap(), getpgid(None).unwrap());
    member.train(&order, 0..2).await;
    let before = looked(&member, &order, &submitted.state, |look| look.curve.len() == 2).await;
    let restarted = CommandMember {
        trainer: Command::new(member.settings.clone(), member.files.clone()),
        settings: member.settings.clone(),
        files: member.files.clone(),
    };
    assert_eq!(restarted.trainer.submit(&order).await.unwrap().external_id, submitted.external_id);
    restarted.train(&order, 2..3).await;
    let after = looked(&restarted, &order, &before.state, |look| look.curve.len() == 1).await;
    assert_eq!((after.phase, after.curve[0].step), (TrainingPhase::Training, 2));
    assert_eq!(restarted.jobs(&order).await, 1);
}

#[tokio::test]
async fn a_program_that_dies_silently_has_failed_and_its_last_output_is_reported() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    member.train(&order, 0..2).await;
    member.say(&order, "exit 3");
    let look = looked(&member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Failed(_))).await;
    let TrainingPhase::Failed(failure) = look.phase else { unreachable!() };
    assert_eq!(failure.code, "TRAINER_DIED");
    assert!(failure.message.contains("code 3") && failure.message.contains("I go now."), "{failure:?}");
    assert_eq!(look.curve.len(), 2, "what it reported before is kept");
}

#[tokio::test]
async fn a_killed_program_has_failed_even_if_its_process_id_is_reused() {
    let member = member().await;
    let (order, submitted) = submitted(&member).await;
    let pid = member.runs(&order).await;
    nix::sys::signal::killpg(pid, nix::sys::signal::SIGKILL).unwrap();
    // As if the system had given the number to somebody else: this test.
    let file = member.folder(&order).join("train.pid");
    fs::write(&file, std::process::id().to_string()).unwrap();
    let look = looked(&member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Failed(_))).await;
    let TrainingPhase::Failed(failure) = look.phase else { unreachable!() };
    assert!(failure.code == "TRAINER_DIED" && failure.message.contains("was killed"), "{failure:?}");
    member.trainer.cancel(&order, &look.state).await.unwrap();
    assert!(kill(Pid::this(), None).is_ok(), "nobody else was ended for it");
    member.trainer.submit(&order).await.unwrap();
    assert_eq!(member.jobs(&order).await, 1, "and it is not begun anew");
}

#[tokio::test]
async fn cancelling_ends_all_child_processes_and_removes_the_training_samples() {
    let member = member().await;
    let mut order = order(&member).await;
    extra(&mut order, "child", true);
    let submitted = member.trainer.submit(&order).await.unwrap();
    let child = member.folder(&order).join("output/child");
    until(async || pid_in(&child).is_some()).await;
    let pid = pid_in(&child).unwrap();
    assert!(kill(pid, None).is_ok());
    member.trainer.cancel(&order, &submitted.state).await.unwrap();
    // The process that adopted it may not have reaped it yet.
    let is_gone = || fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    until(async || kill(pid, None).is_err() || is_gone()).await;
    assert!(!member.folder(&order).join("training.jsonl").exists());
    looked(&member, &order, &submitted.state, |look| look.phase == TrainingPhase::Cancelled).await;
}

#[tokio::test]
async fn a_folder_left_by_a_dead_program_is_reused() {
    let member = member().await;
    let order = order(&member).await;
    let folder = member.folder(&order);
    fs::create_dir_all(folder.join("output")).unwrap();
    fs::write(folder.join("training.1-0.part"), "half a li").unwrap();
    fs::write(folder.join("train.lock"), "").unwrap();
    member.trainer.submit(&order).await.unwrap();
    assert_eq!(member.jobs(&order).await, 1);
    assert_eq!(fs::read_to_string(folder.join("output/starts")).unwrap(), "12\n", "with all of the samples");
}

#[tokio::test]
async fn the_program_sees_no_secrets_and_samples_are_removed_when_no_longer_needed() {
    let member = member().await;
    let mut order = order(&member).await;
    extra(&mut order, "environment", true);
    let submitted = member.trainer.submit(&order).await.unwrap();
    member.succeed(&order).await;
    looked(&member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    let folder = member.folder(&order);
    let known = fs::read_to_string(folder.join("output/environment")).unwrap();
    assert!(known.contains("PATH") && !known.contains("DATABASE_URL") && !known.contains("TEST_REDIS_URL"), "{known}");
    member.say(&order, "exit 0");
    until(async || !folder.join("training.jsonl").exists()).await;
    assert!(folder.join("held-out.jsonl").exists(), "it is still to be evaluated on");
}

#[tokio::test]
async fn held_out_samples_are_removed_after_a_failed_or_self_evaluated_training() {
    let member = member().await;
    let left =
        |order: &Order| ["training.jsonl", "held-out.jsonl"].map(|name| member.folder(order).join(name).exists());
    let (bad, submission) = submitted(&member).await;
    member.runs(&bad).await;
    member.fail(&bad).await;
    looked(&member, &bad, &submission.state, |look| matches!(look.phase, TrainingPhase::Failed(_))).await;
    assert_eq!(left(&bad), [false, false]);
    let (good, submission) = submitted(&member).await;
    member.runs(&good).await;
    member.say(&good, r#"{"status": "succeeded", "eval_loss": 0.5}"#);
    looked(&member, &good, &submission.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    assert!(left(&good)[1], "nobody has asked yet what was measured");
    for _ in 0..2 {
        let evaluation = member.trainer.evaluate(&good, &submission.state).await.unwrap();
        assert!(matches!(evaluation, Evaluation::Done { samples: 3, .. }), "{evaluation:?}");
        assert_eq!(left(&good), [false, false]);
    }
}

#[tokio::test]
async fn cancelling_ends_an_evaluation_and_removes_its_samples() {
    let member = member().await;
    let mut order = order(&member).await;
    extra(&mut order, "evaluates_for_ever", true);
    let submission = member.trainer.submit(&order).await.unwrap();
    member.succeed(&order).await;
    looked(&member, &order, &submission.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    let file = member.folder(&order).join("evaluate.pid");
    until(async || {
        let evaluation = member.trainer.evaluate(&order, &submission.state).await.unwrap();
        assert!(matches!(evaluation, Evaluation::Running(_)), "{evaluation:?}");
        pid_in(&file).is_some()
    })
    .await;
    let pid = pid_in(&file).unwrap();
    assert!(kill(pid, None).is_ok());
    member.trainer.cancel(&order, &submission.state).await.unwrap();
    let is_gone = || fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    until(async || kill(pid, None).is_err() || is_gone()).await;
    assert!(!member.folder(&order).join("held-out.jsonl").exists());
}

#[tokio::test]
async fn a_program_that_cannot_evaluate_reports_it_by_its_exit_code() {
    let member = member().await;
    let mut order = order(&member).await;
    extra(&mut order, "cannot_evaluate", true);
    let submitted = member.trainer.submit(&order).await.unwrap();
    member.succeed(&order).await;
    looked(&member, &order, &submitted.state, |look| matches!(look.phase, TrainingPhase::Succeeded(_))).await;
    until(async || {
        let evaluation = member.trainer.evaluate(&order, &submitted.state).await.unwrap();
        evaluation == Evaluation::Unsupported
    })
    .await;
}

#[tokio::test]
async fn a_missing_program_is_reported_before_anything_is_curated() {
    let member = member().await;
    let check = async |program: &str| {
        let settings = CommandSettings { program: program.to_owned(), ..member.settings.clone() };
        Command::new(settings, member.files.clone())
            .check("a-model", &Parameters::default(), &TrainerConnection::default())
            .await
            .map_err(|failure| (failure.category, failure.code))
    };
    assert_eq!(check("python3").await, Ok(()));
    let missing = Err((Category::Internal, "TRAINER_MISSING".to_owned()));
    assert_eq!(check("no-such-program").await, missing);
    assert_eq!(check("/no/such/program").await, missing);
}
