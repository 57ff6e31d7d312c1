//! An external agent as its author would write it: registered with a key, from then on with its own token.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    agents::eap::{
        client::{self, Eap},
        server::{task_notifier::TaskNotifier, tasks::Tasks},
    },
    app::Settings,
    identity::auth::Role,
    kernel::{clock::Clock, encryption::Pepper},
    platform::{object_store::Files, postgres::Db},
};

use crate::{Caller, PEPPER, Reply, Tenant, TestApp};

/// The runtime of external agents on given services.
pub fn runtime((db, notifier, files): (&Db, TaskNotifier, &Files), clock: &Clock, settings: &Settings) -> Eap {
    let tasks = Tasks {
        db: db.clone(),
        notifier,
        files: files.clone(),
        pepper: Pepper(PEPPER.as_bytes().to_vec()),
        clock: clock.clone(),
        heartbeat_interval: settings.heartbeat_interval,
    };
    Eap::new(client::EapSettings {
        tasks,
        public_url: settings.public_url.as_deref().unwrap_or_default().to_owned(),
        outbound: settings.outbound.clone(),
        push_timeout: settings.push_timeout,
    })
}

/// A registered agent.
#[derive(Clone)]
pub struct EapAgent {
    pub id: String,
    pub name: String,
    pub token: String,
    /// The secret that signs pushes.
    pub secret: Option<String>,
    /// Calls with its token.
    pub caller: Caller,
}

impl TestApp {
    /// Registers an agent of the first tenant that pulls.
    pub async fn puller(&self, name: &str) -> EapAgent {
        self.external_of(&self.tenant, name, json!({})).await
    }

    /// Registers an agent that is pushed to.
    pub async fn pushed(&self, name: &str, endpoint: &str) -> EapAgent {
        self.external_of(&self.tenant, name, json!({"endpoint_url": endpoint})).await
    }

    /// Registers an agent of a tenant.
    pub async fn external_of(&self, tenant: &Tenant, name: &str, fields: Value) -> EapAgent {
        let mut body = registration(name);
        if let (Value::Object(body), Value::Object(fields)) = (&mut body, fields) {
            body.extend(fields);
        }
        let caller = self.caller_of(tenant, Role::Lead);
        let made = caller.post("/api/v1/agents/external/register", body).await.expect(201);
        let text = |field: &str| made[field].as_str().map(str::to_owned);
        let token = text("auth_token").expect("a token");
        let caller = self.nobody().with("x-agent-token", &token);
        let (id, secret) = (text("agent_id").expect("an id"), text("signing_secret"));
        EapAgent { id, name: name.to_owned(), token, secret, caller }
    }
}

/// The body of a registration.
pub fn registration(name: &str) -> Value {
    json!({
        "protocol_version": "1.0",
        "name": name,
        "version": "1.0.0",
        "agent_type": "implementer",
        "capabilities": ["code_generation", "rust_expert"],
    })
}

/// A result that says what it came to.
pub fn result(task: &Value, text: &str) -> Value {
    json!({
        "task_id": task["task_id"],
        "status": "completed",
        "output_data": {"text": text},
        "execution_time_ms": 12,
        "tokens_used": 30,
        "cost_usd": 0.002,
    })
}

impl EapAgent {
    fn path(&self, rest: &str) -> String {
        format!("/api/v1/agents/external/{}/{rest}", self.id)
    }

    pub async fn heartbeat(&self) -> Reply {
        let body = json!({"status": "healthy", "current_load": 0.1, "tasks_in_progress": 0, "metrics": {}});
        self.caller.post(&self.path("heartbeat"), body).await
    }

    /// Asks for work and waits for it so long.
    pub async fn claim(&self, wait_seconds: u32) -> Reply {
        self.caller.post(&self.path("tasks/claim"), json!({"wait_seconds": wait_seconds})).await
    }

    /// The next task, for which it waits.
    pub async fn task(&self) -> Value {
        self.claim(20).await.expect(200)["tasks"][0].clone()
    }

    pub async fn progress(&self, task: &Value, body: Value) -> Reply {
        let id = task["task_id"].as_str().expect("a task");
        self.caller.post(&self.path(&format!("tasks/{id}/progress")), body).await
    }

    /// Reports of a task with the token of the lease that it came with.
    pub async fn report(&self, task: &Value, seq: i64, message: &str) -> Reply {
        let body = json!({"lease_token": task["lease"]["token"], "seq": seq, "message": message});
        self.progress(task, body).await
    }

    pub async fn result(&self, task: &Value, body: Value) -> Reply {
        let id = task["task_id"].as_str().expect("a task");
        self.caller.post(&self.path(&format!("tasks/{id}/result")), body).await
    }

    /// Uploads the content of an artifact.
    pub async fn upload(&self, task: &Value, content: &[u8]) -> Reply {
        self.upload_as(task, &hex::encode(Sha256::digest(content)), content).await
    }

    /// Uploads content under a hash.
    pub async fn upload_as(&self, task: &Value, hash: &str, content: &[u8]) -> Reply {
        let id = task["task_id"].as_str().expect("a task");
        self.caller.send("PUT", &self.path(&format!("tasks/{id}/artifacts/{hash}")), Some(content.to_vec())).await
    }

    /// A session for this agent, started.
    pub async fn session(&self, caller: &Caller) -> String {
        caller.start_session(json!({"agent_config": {"agent": self.name}})).await
    }
}
