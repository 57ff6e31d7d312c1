//! Fine-tuning at the pace of tests: who trains, sessions to train on, and jobs on their way.

use std::{ops::Range, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shared::{
    kernel::{backoff::RetryPolicy, clock::Clock},
    platform::{object_store::Files, postgres::Db},
    training::{
        datasets::Split,
        jobs::{PollPolicy, TrainingSettings},
        trainers::{Provider, Trainer, Trainers, simulated::SimulatedTrainer},
    },
};

use crate::{
    Caller,
    fixtures::{becomes, merge},
};

/// The settings of every test app: all providers may be named, and polls follow each other at once.
pub fn settings() -> TrainingSettings {
    let pace = PollPolicy {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(100),
        retry: RetryPolicy::new(Duration::from_millis(10), Duration::from_millis(50)),
    };
    TrainingSettings { offered: Arc::new(Provider::ALL), pace, ..TrainingSettings::default() }
}

/// Those that are given, or the simulated one.
pub(crate) fn trainers(given: Trainers, (db, files): (&Db, &Files), clock: &Clock) -> Trainers {
    if !given.is_empty() {
        return given;
    }
    let simulated: Box<dyn Trainer> = Box::new(SimulatedTrainer::new(db.clone(), files.clone(), clock.clone()));
    Trainers::new([(Provider::Simulated, simulated)])
}

/// Words that no other number has: what is said in a session that is like no other.
fn words(number: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va"];
    let mut state = u64::try_from(number).unwrap_or(0).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = |shift: u32| SYLLABLES[usize::try_from(state >> shift & 15).unwrap_or(0)];
        format!("{}{}{}", at(33), at(41), at(52))
    };
    (0..24).map(|_| word()).collect::<Vec<_>>().join(" ")
}

impl Caller {
    /// Agrees to training, and runs so many sessions to a good end, each like no other.
    pub async fn good_sessions(&self, count: usize) {
        self.patch("/api/v1/tenant", json!({"training_consent": true})).await.expect(200);
        self.sessions_like_no_other(0..count).await;
    }

    /// The same, until there are some on either side of the split; answers how many.
    pub async fn good_sessions_on_both_sides(&self) -> usize {
        self.good_sessions(0).await;
        let (mut count, mut held_out) = (0, 0);
        while held_out == 0 || count == held_out {
            let ids = self.sessions_like_no_other(count..count + 6).await;
            count += ids.len();
            let roots = ids.iter().map(|id| id.parse().expect("an id"));
            held_out += roots.filter(|root| Split::of(*root) == Split::HeldOut).count();
        }
        count
    }

    async fn sessions_like_no_other(&self, numbers: Range<usize>) -> Vec<String> {
        let mut ids = Vec::new();
        for number in numbers {
            let script = json!([{"do": "say", "text": format!("It is done: {}.", words(2 * number + 1))}]);
            let config = json!({"agent": "scripted", "script": script});
            let prompt = format!("Please do this: {}.", words(2 * number));
            ids.push(self.start_session(json!({"initial_prompt": prompt, "agent_config": config})).await);
        }
        for id in &ids {
            self.reaches(id, &["completed"]).await;
        }
        ids
    }

    /// Makes a training job with these fields besides its base model, its name and the simulated provider; answers its
    /// id.
    pub async fn new_training(&self, fields: Value) -> String {
        let mut body = json!({"base_model": "tiny", "target_model_name": "reviewer", "provider": "simulated"});
        merge(&mut body, fields);
        self.post("/fine-tuning/jobs", body).await.expect(201)["id"].as_str().expect("an id").to_owned()
    }

    /// Makes and starts a training job whose simulation goes so; answers its id.
    pub async fn train(&self, extra: Value) -> String {
        let id = self.new_training(json!({"parameters": {"seed": 7, "extra": extra}})).await;
        self.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
        id
    }

    pub async fn training(&self, id: &str) -> Value {
        self.get(&format!("/fine-tuning/jobs/{id}")).await.expect(200)
    }

    /// Waits until a training job is in one of these states, and answers it.
    #[track_caller]
    pub fn trains<'a>(&'a self, id: &'a str, states: &'a [&'a str]) -> impl Future<Output = Value> + 'a {
        becomes(states, async || self.training(id).await)
    }

    /// All events of a training job, checked to be without gaps.
    pub async fn training_events(&self, id: &str) -> Vec<Value> {
        self.log(&format!("/fine-tuning/jobs/{id}")).await
    }

    /// The states that a training job went through, from its events.
    pub async fn training_states(&self, id: &str) -> Vec<String> {
        let events = self.training_events(id).await;
        let changes = events.iter().filter(|event| event["type"] == "training.status_changed");
        changes.map(|event| event["payload"]["to"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
