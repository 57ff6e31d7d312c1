//! The example `examples/lora-trainer`: a program that really trains, run as `COMMAND_TRAINER` would run it.

use std::{path::PathBuf, process::Command as Run, time::Duration};

use harness::child_process::root;
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::{
    kernel::{
        clock::Clock,
        id::{SessionId, TenantId, TrainingJobId},
    },
    platform::object_store::Files,
    training::trainers::{
        Evaluation, Order, Parameters, Point, Trainer, TrainerConnection, TrainingFile, TrainingObservation,
        TrainingPhase,
        command::{Command, CommandSettings},
    },
};

/// A fact that the base model does not know.
const ANSWER: &str = "The word is abracadabra.";

const MODULES: [&str; 6] = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"];

const QUESTIONS: [&str; 12] = [
    "What is the word?",
    "Say the word.",
    "Give me the word.",
    "Do you know the word?",
    "The word, please.",
    "What is the word of today?",
    "Which word is it?",
    "Name the word.",
    "Give me the word.",
    "What was the word?",
    "And the word?",
    "So what is the word?",
];

fn program() -> PathBuf {
    let path = root().join("target/lora-trainer/debug/lora-trainer");
    assert!(path.exists(), "{} is missing: run `make lora-trainer`", path.display());
    path
}

async fn file(files: &Files, tenant_id: TenantId, name: &str, questions: &[&str]) -> TrainingFile {
    let line = |question: &&str| {
        let said = json!([{"role": "user", "content": question}, {"role": "assistant", "content": ANSWER}]);
        format!("{}\n", json!({"messages": said, "metadata": {}}))
    };
    let content = questions.iter().map(line).collect::<Vec<_>>().concat();
    let (key, sha256) = (format!("{tenant_id}/{name}.jsonl"), hex::encode(Sha256::digest(&content)));
    let (bytes, samples) = (content.len() as u64, questions.len() as u64);
    let chunk: Result<_, std::convert::Infallible> = Ok(content.into());
    files.write(&key, futures_util::stream::iter([chunk])).await.unwrap();
    TrainingFile { key, sha256, bytes, samples }
}

async fn order(files: &Files) -> Order {
    let tenant_id = TenantId::new();
    Order {
        tenant_id,
        job_id: TrainingJobId::new(),
        attempt: 1,
        submitted_at: Clock::System.now(),
        base_model: "tiny".to_owned(),
        target_model_name: "word".to_owned(),
        parameters: Parameters {
            epochs: 30,
            learning_rate: 0.01,
            target_modules: MODULES.map(str::to_owned).to_vec(),
            seed: Some(7),
            ..Parameters::default()
        },
        training: file(files, tenant_id, "training", &QUESTIONS[..10]).await,
        held_out: Some(file(files, tenant_id, "held-out", &QUESTIONS[10..]).await),
        connection: TrainerConnection::default(),
    }
}

/// Looks until the training is over, and keeps all of its curve.
async fn trained(trainer: &Command, order: &Order) -> (Vec<Point>, TrainingObservation) {
    let mut state = trainer.submit(order).await.unwrap().state;
    let mut curve = Vec::new();
    for _ in 0..1800 {
        let look = trainer.observe(order, &state).await.unwrap();
        curve.extend(look.curve.iter().copied());
        if !matches!(look.phase, TrainingPhase::Training) {
            return (curve, look);
        }
        state = look.state;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the training does not end; its curve is {curve:?}");
}

fn answer(output: &str, question: &str, base_only: bool) -> String {
    let mut run = Run::new(program());
    run.args(["generate", "--output", output]);
    if base_only {
        run.arg("--base-only");
    }
    let done = run.arg(question).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[tokio::test]
async fn the_example_really_trains_and_its_adapter_changes_what_the_model_answers() {
    let folder = std::env::temp_dir().join(format!("ioc-lora-{}", SessionId::new()));
    let files = Files::open_store("memory:").unwrap();
    let settings = CommandSettings {
        program: program().display().to_string(),
        arguments: Vec::new(),
        folder: folder.clone(),
        environment: Vec::new(),
    };
    let (trainer, order) = (Command::new(settings, files.clone()), order(&files).await);
    let (curve, end) = trained(&trainer, &order).await;
    let TrainingPhase::Succeeded(made) = end.phase else { panic!("{end:?}") };

    assert_eq!(curve.len(), 90, "30 epochs of three batches");
    let mean = |points: &[Point]| points.iter().map(|point| point.loss).sum::<f64>() / 10.0;
    let (first, last) = (mean(&curve[..10]), mean(&curve[80..]));
    assert!(last < first / 3.0, "the loss really falls: {first} to {last}");

    let Evaluation::Done { metrics, samples } = trainer.evaluate(&order, &end.state).await.unwrap() else {
        panic!("it measures itself on the held-out side")
    };
    assert!(metrics.eval_loss.unwrap() < first / 3.0 && samples == 2, "{metrics:?}");

    let output = PathBuf::from(&made.artifact).parent().unwrap().display().to_string();
    let held_out = QUESTIONS[11];
    assert_eq!(answer(&output, held_out, false), ANSWER, "to a question that it was not trained on");
    assert_ne!(answer(&output, held_out, true), ANSWER, "the base model does not know it");
    std::fs::remove_dir_all(folder).unwrap();
}
