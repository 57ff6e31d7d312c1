//! A runner as its author would write it: enrolled by a lead, from then on with its own credential.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::identity::auth::Role;

use crate::{Caller, Reply, Tenant, TestApp};

/// A registered runner.
#[derive(Clone)]
pub struct TestRunner {
    pub id: String,
    pub pool: String,
    pub credential: String,
    /// The agents that it works as, by program.
    pub agents: BTreeMap<String, String>,
    /// Calls with its credential.
    pub caller: Caller,
}

/// The body of a registration with four slots.
pub fn registration(name: &str, programs: &[&str]) -> Value {
    let programs: Vec<_> = programs.iter().map(|program| json!({"program": program, "version": "1.0"})).collect();
    json!({
        "name": name, "version": "0.2.0", "os": "linux", "arch": "x86_64", "labels": {"zone": "a"}, "slots": 4,
        "isolation": "sandbox", "programs": programs, "protocol_version": "1.1",
    })
}

impl TestApp {
    /// A token with which runners of a tenant enrol in a pool. `uses` is `one` or `many`.
    pub async fn enrolment_of(&self, tenant: &Tenant, pool: &str, uses: &str) -> String {
        let body = json!({"pool": pool, "uses": uses});
        let made = self.caller_of(tenant, Role::Lead).post("/api/v1/runners/enrolments", body).await.expect(201);
        made["token"].as_str().expect("a token").to_owned()
    }

    /// Calls with a credential of a runner, or an enrolment token.
    pub fn bearer(&self, credential: &str) -> Caller {
        self.nobody().with("authorization", &format!("Bearer {credential}"))
    }

    /// Enrols a runner of the first tenant that offers OpenCode.
    pub async fn runner(&self, pool: &str, name: &str) -> TestRunner {
        self.runner_of(&self.tenant, pool, name).await
    }

    /// Enrols a runner of a tenant that offers OpenCode.
    pub async fn runner_of(&self, tenant: &Tenant, pool: &str, name: &str) -> TestRunner {
        self.enrol(tenant, pool, registration(name, &["opencode"])).await
    }

    /// Enrols a runner with a registration.
    pub async fn enrol(&self, tenant: &Tenant, pool: &str, body: Value) -> TestRunner {
        let token = self.enrolment_of(tenant, pool, "one").await;
        let made = self.bearer(&token).post("/api/v1/runners/register", body).await.expect(201);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let agents = made["agents"].as_array().expect("agents").iter();
        let agents = agents.map(|one| (text(&one["program"]), text(&one["agent_id"]))).collect();
        let credential = text(&made["credential"]);
        let caller = self.bearer(&credential);
        TestRunner { id: text(&made["runner_id"]), pool: pool.to_owned(), credential, agents, caller }
    }
}

impl TestRunner {
    /// The path of an endpoint of the agent of OpenCode.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/agents/external/{}/{rest}", self.agents["opencode"])
    }

    /// The same runner with another credential.
    #[must_use]
    pub fn with_credential(&self, world: &TestApp, credential: &str) -> Self {
        Self { credential: credential.to_owned(), caller: world.bearer(credential), ..self.clone() }
    }

    /// Asks for work of OpenCode, and waits for it so long.
    pub async fn claim(&self, wait_seconds: u32) -> Reply {
        self.caller.post(&self.path("tasks/claim"), json!({"wait_seconds": wait_seconds})).await
    }

    /// The next task, for which it waits.
    pub async fn task(&self) -> Value {
        self.claim(20).await.expect(200)["tasks"][0].clone()
    }

    pub async fn progress(&self, task: &Value, mut body: Value) -> Reply {
        body["lease_token"] = task["lease"]["token"].clone();
        let id = task["task_id"].as_str().expect("a task");
        self.caller.post(&self.path(&format!("tasks/{id}/progress")), body).await
    }

    pub async fn result(&self, task: &Value, text: &str) -> Reply {
        let id = task["task_id"].as_str().expect("a task");
        let body = crate::eap_agent::result(task, text);
        self.caller.post(&self.path(&format!("tasks/{id}/result")), body).await
    }

    /// Sends a heartbeat with a state and without tasks. Returns the commands.
    pub async fn heartbeat(&self, state: &str) -> Value {
        self.heartbeat_with(json!({"state": state})).await.expect(200)["commands"].clone()
    }

    pub async fn heartbeat_with(&self, body: Value) -> Reply {
        self.caller.post(&format!("/api/v1/runners/{}/heartbeat", self.id), body).await
    }

    /// A session for the agent of OpenCode, started.
    pub async fn session(&self, caller: &Caller) -> String {
        let agent = format!("{}-OPENCODE", self.pool.to_uppercase());
        caller.start_session(json!({"agent_config": {"agent": agent}})).await
    }
}
