//! The operations of the OpenAPI document, so that a claim about all endpoints covers those that come later.

use serde_json::{Value, json};
use shared::identity::auth::Role;

/// The permissions below a path: the lowest role that reads, the lowest that changes, and how an id below it that
/// is unknown, or another tenant's, is refused. The longest path that fits counts.
const ACCESS: [(&str, Role, Role, &str); 24] = [
    ("/api/v1/agents/route", Role::Member, Role::Member, ""),
    ("/api/v1/agents", Role::Viewer, Role::Member, ""),
    ("/api/v1/agents/{id}", Role::Viewer, Role::Lead, "AGENT_NOT_FOUND"),
    ("/api/v1/agents/{id}/tokens", Role::Lead, Role::Lead, "AGENT_NOT_FOUND"),
    ("/api/v1/agents/external", Role::Member, Role::Member, "AGENT_NOT_FOUND"),
    ("/api/v1/a2a", Role::Viewer, Role::Member, "SESSION_NOT_FOUND"),
    ("/api/v1/api-keys", Role::Member, Role::Member, "API_KEY_NOT_FOUND"),
    ("/api/v1/audit", Role::Lead, Role::Lead, ""),
    ("/api/v1/live", Role::Viewer, Role::Viewer, ""),
    ("/api/v1/base-models", Role::Viewer, Role::Lead, ""),
    ("/api/v1/environments", Role::Member, Role::Lead, "ENVIRONMENT_NOT_FOUND"),
    ("/api/v1/experiments", Role::Viewer, Role::Lead, "EXPERIMENT_NOT_FOUND"),
    ("/api/v1/fine-tuning", Role::Viewer, Role::Lead, "JOB_NOT_FOUND"),
    ("/api/v1/fine-tuning/datasets", Role::Viewer, Role::Lead, "DATASET_NOT_FOUND"),
    ("/api/v1/marketplace", Role::Viewer, Role::Lead, "AGENT_NOT_FOUND"),
    ("/api/v1/me", Role::Viewer, Role::Viewer, ""),
    ("/api/v1/models", Role::Viewer, Role::Lead, "MODEL_NOT_FOUND"),
    ("/api/v1/runners", Role::Member, Role::Lead, "RUNNER_NOT_FOUND"),
    ("/api/v1/runners/enrolments", Role::Lead, Role::Lead, "ENROLMENT_NOT_FOUND"),
    // A member changes the own secrets; the id of an unknown environment is refused before the role.
    ("/api/v1/secrets", Role::Member, Role::Member, "ENVIRONMENT_NOT_FOUND"),
    ("/api/v1/sessions", Role::Viewer, Role::Member, "SESSION_NOT_FOUND"),
    ("/api/v1/tenant", Role::Viewer, Role::Lead, ""),
    ("/api/v1/tenants", Role::Admin, Role::Admin, "TENANT_NOT_FOUND"),
    ("/api/v1/users", Role::Viewer, Role::Lead, "USER_NOT_FOUND"),
];

/// One operation, as the document has it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    pub path: String,
    pub described: Value,
}

/// The document that the code generates.
pub fn document() -> Value {
    functions::openapi()
}

/// All operations of the document.
pub fn operations() -> Vec<Operation> {
    let document = document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, described) in item.as_object().expect("methods") {
            let (method, path) = (method.to_uppercase(), path.clone());
            operations.push(Operation { method, path, described: described.clone() });
        }
    }
    operations
}

/// Those that ask for a credential of people or programs. JSON-RPC is left out: each of its methods has the rights of
/// the operation that it names, and its own form of errors (`tests/it/a2a/bindings.rs`).
pub fn guarded() -> Vec<Operation> {
    let is_guarded =
        |one: &Operation| !one.is_open() && !one.is_for_agents() && !one.is_for_runners() && !one.is_json_rpc();
    operations().into_iter().filter(is_guarded).collect()
}

/// Those that ask for the token of an agent.
pub fn of_agents() -> Vec<Operation> {
    operations().into_iter().filter(Operation::is_for_agents).collect()
}

/// Those that ask for a credential that only runners have.
pub fn of_runners() -> Vec<Operation> {
    operations().into_iter().filter(Operation::is_for_runners).collect()
}

/// The SHA-256 of `{}`.
const EMPTY_OBJECT: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

impl Operation {
    /// Whether it needs no credential.
    pub fn is_open(&self) -> bool {
        self.described["security"].as_array().is_some_and(|ways| ways.iter().all(|way| way == &json!({})))
    }

    /// Whether it is for agents, with the token of their registration.
    pub fn is_for_agents(&self) -> bool {
        self.takes("agent_token")
    }

    /// Whether it is for runners alone, with their credential or an enrolment token.
    pub fn is_for_runners(&self) -> bool {
        self.takes("runner_credential") && !self.takes("agent_token")
    }

    /// Whether a kind of credential opens it.
    fn takes(&self, scheme: &str) -> bool {
        self.described["security"].as_array().is_some_and(|ways| ways.iter().any(|way| way.get(scheme).is_some()))
    }

    pub fn reads(&self) -> bool {
        self.method == "GET"
    }

    /// Whether it is an operation of A2A that no caller may use, because the card does not offer it.
    pub fn is_refused_to_all(&self) -> bool {
        self.path.contains("/pushNotificationConfigs") || self.path.ends_with("/extendedAgentCard")
    }

    /// Whether its body names a method, which decides who may call it.
    pub fn is_json_rpc(&self) -> bool {
        self.path == "/api/v1/a2a/{tenant}"
    }

    pub fn names_a_session(&self) -> bool {
        self.path.starts_with("/api/v1/sessions/{id}")
    }

    /// Whether its path names one thing.
    pub fn names_an_object(&self) -> bool {
        self.path.contains("{id}") || self.path.contains("{name}")
    }

    fn access(&self) -> (Role, Role, &'static str) {
        let below =
            |known: &str| self.path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let fitting = ACCESS.iter().filter(|(known, ..)| below(known)).max_by_key(|(known, ..)| known.len());
        let (_, reads, changes, code) = fitting.unwrap_or_else(|| panic!("say who may call {}", self.path));
        (*reads, *changes, code)
    }

    /// The lowest role that may call it.
    pub fn lowest_role(&self) -> Role {
        let (reads, changes, _) = self.access();
        if self.reads() { reads } else { changes }
    }

    /// How an id that is unknown, or another tenant's, is refused.
    pub fn not_found(&self) -> &'static str {
        self.access().2
    }

    /// Whether it belongs to a protocol that is not ours, and so has its form of errors and takes fields that it does
    /// not know.
    pub fn speaks_a2a(&self) -> bool {
        self.path.starts_with("/api/v1/a2a/") && !self.path.starts_with("/api/v1/a2a/push-notifications/")
    }

    /// The path that answers it: a verb behind an id has no route of its own.
    pub fn route(&self) -> String {
        self.path
            .split("}:")
            .next()
            .filter(|route| *route != self.path)
            .map_or_else(|| self.path.clone(), |route| format!("{route}}}"))
    }

    /// The path with a session's id, and with an artifact's where it has one. The tenant is for the caller to put in.
    pub fn path_of(&self, session: &str, artifact: &str) -> String {
        let path = self.path.replace("{id}", session).replace("{session}", session).replace("{artifact_id}", artifact);
        let path = path
            .replace("{scope}/{name}", &format!("{session}/TOKEN"))
            .replace("{provider}", "openai")
            .replace("{sequence}", "1")
            .replace("{task_id}", artifact)
            .replace("{token_id}", artifact)
            .replace("{config}", artifact)
            .replace("{sha256}", EMPTY_OBJECT);
        let path = path.replace("{name}", session).replace("{version}", "1.0.0").replace("{alias}", "champion");
        let path = if path.ends_with("/compare") { path + "?a=1.0.0&b=champion" } else { path };
        let reads_children = self.reads() && path.ends_with(&format!("/tasks/{artifact}/sessions"));
        let path = if reads_children { path + "?lease_token=1&ids=01900000-0000-7000-8000-000000000000" } else { path };
        assert!(!path.replace("{tenant}", "").contains('{'), "say what to put into {path}");
        path
    }

    /// A body that the operation takes, if it takes one.
    pub fn body(&self) -> Option<Vec<u8>> {
        self.described.get("requestBody")?;
        let last = self.path.rsplit('/').next().unwrap_or_default();
        let body = self
            .agent_body(last)
            .or_else(|| self.environment_body(last))
            .or_else(|| model_body(last))
            .or_else(|| message_body(last));
        let body = body.unwrap_or_else(|| match last {
            "sessions" => json!({"title": "Fix the parser", "initial_prompt": "Do it."}),
            "{id}" if self.path.contains("/tenants/") => json!({"name": "Another name"}),
            "{id}" if self.path.contains("/users/") => json!({"full_name": "Another Name"}),
            "{id}" => json!({"title": "Another title"}),
            "{tenant}" if self.is_json_rpc() => {
                json!({"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {}})
            }
            "tenant" => json!({"training_consent": true}),
            "tenants" => json!({"name": "Another", "slug": "another"}),
            "usage-corrections" => json!({"tokens": -1, "reason": "A wrong report."}),
            "users" => json!({"email": "ada@example.org", "full_name": "Ada", "role": "viewer"}),
            "api-keys" => json!({"name": "Another"}),
            "complete" => json!({"result": {"text": "done"}}),
            "fail" => json!({"message": "It broke."}),
            "pause" | "stop" | "cancel" | "retry" | "checkpoints" | "fork" | "rotate" | "claim" | "preview"
            | "{sha256}" => {
                json!({})
            }
            other => panic!("say what body {other} takes"),
        });
        Some(body.to_string().into_bytes())
    }

    /// Bodies of the operations on agents, and of those that agents call.
    fn agent_body(&self, last: &str) -> Option<Value> {
        let task = "01900000-0000-7000-8000-000000000000";
        Some(match last {
            "register" if self.path.contains("/runners/") => crate::runner::registration("one", &["opencode"]),
            "heartbeat" if self.path.contains("/runners/") => json!({"state": "active"}),
            "enrolments" => json!({"pool": "farm"}),
            "register" => {
                json!({"protocol_version": "1.0", "name": "AGENT", "version": "1", "agent_type": "implementer"})
            }
            "heartbeat" => json!({"status": "healthy", "current_load": 0, "tasks_in_progress": 0}),
            "progress" => json!({"seq": 1, "message": "Half of it."}),
            "result" => {
                json!({"task_id": task, "status": "completed", "execution_time_ms": 1, "tokens_used": 1, "cost_usd": 0})
            }
            "sessions" if self.is_for_agents() => json!({"lease_token": 1, "request_id": "1", "prompt": "Do a part."}),
            "route" => json!({"required_capabilities": ["testing"]}),
            "agents" => {
                json!({"name": "another", "agent_type": "reviewer", "kind": "eap", "capabilities": ["testing"]})
            }
            "{id}" if self.path.contains("/agents/") => json!({"description": "Another."}),
            _ => return None,
        })
    }
}

impl Operation {
    /// Bodies of the operations on environments and secrets.
    fn environment_body(&self, last: &str) -> Option<Value> {
        Some(match last {
            "environments" => json!({"name": "another"}),
            "{id}" if self.path.contains("/environments/") => json!({"rules": "Be brief."}),
            "{name}" if self.path.contains("/secrets/") => json!({"value": "another value"}),
            "secrets" if self.is_for_agents() => json!({"lease_token": 1}),
            _ => return None,
        })
    }
}

/// Bodies of the operations on models, experiments and fine-tuning.
fn model_body(last: &str) -> Option<Value> {
    let arm = |name: &str| json!({"name": name, "model": "a/b"});
    Some(match last {
        "models" => json!({"name": "another", "base_model": "meta/llama"}),
        "{version}" => json!({"notes": "Another."}),
        "{alias}" => json!({"version": "1.0.0"}),
        "experiments" => json!({"name": "another", "arms": [arm("a"), arm("b")]}),
        "promote" => json!({"arm": "a", "alias": "champion"}),
        "base-models" => json!({"base_model": "meta/llama"}),
        "jobs" => json!({"base_model": "tiny", "target_model_name": "reviewer"}),
        "{provider}" => json!({"base_url": "https://models.example.com/v1"}),
        _ => return None,
    })
}

/// Messages to sessions, also those of A2A.
fn message_body(last: &str) -> Option<Value> {
    Some(match last {
        "messages" => json!({"text": "Go on."}),
        "message:send" => json!({
            "message": {"messageId": "one", "role": "ROLE_USER", "parts": [{"text": "Do it."}]},
            "configuration": {"returnImmediately": true},
        }),
        "message:stream" => json!({"message": {
            "messageId": "two", "role": "ROLE_USER", "parts": [{"text": "Go on."}],
            "taskId": "01900000-0000-7000-8000-000000000000",
        }}),
        _ => return None,
    })
}
