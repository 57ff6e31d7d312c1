//! Sessions that training data can be made of, put there past the product: one that an agent really works on takes
//! long.

use serde_json::{Value, json};
use shared::{
    identity::auth::Role,
    kernel::id::TrainingJobId,
    training::datasets::{CurationOutcome, Dataset, Recipe, service},
};

use crate::{Caller, Tenant, TestApp, superuser::Superuser};

impl TestApp {
    /// The first tenant agrees that its sessions become training data.
    pub async fn agree(&self) {
        let lead = self.caller(Role::Lead);
        lead.patch("/api/v1/tenant", json!({"training_consent": true})).await.expect(200);
    }

    /// Curates for a job of the first tenant.
    pub async fn curated(&self, job: TrainingJobId, recipe: &Recipe) -> CurationOutcome {
        service::curate_dataset(&self.app, self.tenant.id, job, 0, recipe).await.expect("it comes to an end")
    }

    /// A dataset of a tenant, of one sample.
    pub async fn dataset_of(&self, tenant: &Tenant) -> Dataset {
        let lead = self.caller_of(tenant, Role::Lead);
        lead.patch("/api/v1/tenant", json!({"training_consent": true})).await.expect(200);
        lead.answered(&self.superuser().await, json!({}), "Done.").await;
        let job = TrainingJobId::new();
        match service::curate_dataset(&self.app, tenant.id, job, 0, &Recipe::default())
            .await
            .expect("it comes to an end")
        {
            CurationOutcome::Made(dataset) => dataset,
            CurationOutcome::Refused(failure) => panic!("{failure:?}"),
        }
    }

    /// The same as [`TestApp::curated`] for a new job, where a dataset is made.
    pub async fn dataset(&self, recipe: &Recipe) -> Dataset {
        match self.curated(TrainingJobId::new(), recipe).await {
            CurationOutcome::Made(dataset) => dataset,
            CurationOutcome::Refused(failure) => panic!("{failure:?}"),
        }
    }
}

impl Caller {
    /// A completed session with these fields, whose agent answered this; its id.
    pub async fn answered(&self, owner: &Superuser, fields: Value, answer: &str) -> String {
        let id = self.new_session(fields).await;
        owner.place(&id, "completed").await;
        owner.record(&id, "session.message", &json!({"role": "assistant", "text": answer, "part": "p"})).await;
        id
    }
}

impl Superuser {
    /// Appends an event to the log of a session, as its agent would.
    pub async fn record(&self, id: &str, kind: &str, payload: &Value) {
        let payload = payload.to_string().replace('\'', "''");
        self.run(&format!(
            "with recorded as (update sessions set last_event_seq = last_event_seq + 1 where id = '{id}' returning *)
             insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload)
             select tenant_id, id, last_event_seq, gen_random_uuid(), '{kind}',
                    '{{\"kind\": \"agent\", \"id\": \"a\", \"name\": \"agent\"}}', now(), '{payload}'::jsonb from recorded"
        ))
        .await;
    }

    /// So many more sessions like this one, each the root of a tree and without a log.
    pub async fn multiply(&self, id: &str, count: u64) {
        self.run(&format!(
            "insert into sessions (tenant_id, id, title, session_type, priority, initial_prompt, agent_config,
                 max_duration_seconds, tags, metadata, root_id, depth, status, status_changed_at, ended_at, created_by,
                 created_at, updated_at)
             select s.tenant_id, made.id, s.title, s.session_type, s.priority, s.initial_prompt, s.agent_config,
                 s.max_duration_seconds, s.tags, s.metadata, made.id, 1, s.status, s.status_changed_at, s.ended_at,
                 s.created_by, s.created_at, s.updated_at
             from sessions s, (select uuidv7() as id from generate_series(1, {count})) made where s.id = '{id}'"
        ))
        .await;
    }

    /// Sets the success rate in the outcome of a session.
    pub async fn rate(&self, id: &str, success_rate: f64) {
        let sql = format!("update sessions set outcome = '{{\"success_rate\": {success_rate}}}' where id = '{id}'");
        self.run(&sql).await;
    }
}

/// A text of some length that shares nothing with another number's.
pub fn prose(number: usize) -> String {
    (0..40).map(|at| format!("word{number}x{at}")).collect::<Vec<_>>().join(" ")
}
