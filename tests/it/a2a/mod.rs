//! A2A both ways, with the official Python SDK as the other side.

mod bindings;
mod calls;
mod conversations;
mod faults;
mod served;

use harness::{Options, PEPPER, TestApp, a2a};
use serde_json::{Value, json};
use shared::{
    agents::{
        a2a_client::{A2a, A2aClientSettings as RuntimeSettings},
        contract::{Assignment, QuestionKind},
    },
    app::Settings,
    identity::auth::Role,
    kernel::encryption::Pepper,
};

use crate::ports::runtime::{Member, Work, blank};

/// The runtime with the Python agent behind it, reached by `http` or `rpc`.
pub(crate) fn member(binding: &'static str) -> Member {
    let peer = a2a::peer();
    let card = format!("{}/{binding}/agent-card.json", peer.url);
    let assign = move |work| {
        let wish = match work {
            Work::Write => "write",
            Work::Ask => "ask",
            Work::Sleep => "sleep",
        };
        Assignment { agent: a2a::contact(&card, None), prompt: prompt(wish), ..blank() }
    };
    Member {
        runtime: Box::new(runtime(&peer.place)),
        assign: Box::new(assign),
        asks: QuestionKind::Input,
        keep: Box::new(()),
    }
}

/// A runtime that may call these places besides the public internet.
fn runtime(allowed: &str) -> A2a {
    A2a::new(RuntimeSettings::new(allowed.parse().unwrap(), Pepper(PEPPER.as_bytes().to_vec()), None))
}

/// The prompts that the tests' agent understands.
fn prompt(wish: &str) -> String {
    json!({"a2a": wish}).to_string()
}

fn settings(allowed: &str) -> Settings {
    Settings { outbound: allowed.parse().unwrap(), ..Options::default().settings }
}

/// A test app with the Python agent registered as `peer`.
async fn world() -> TestApp {
    let peer = a2a::peer();
    let world = TestApp::with(Options { settings: settings(&peer.place), ..Options::default() }).await;
    world.a2a_agent(&world.tenant, "peer", &format!("{}/http/agent-card.json", peer.url), None).await;
    world
}

/// Starts a session with the agent `peer`; answers its id.
async fn start(world: &TestApp, wish: &str) -> String {
    let fields = json!({"initial_prompt": prompt(wish), "agent_config": {"agent": "peer"}});
    world.caller(Role::Member).start_session(fields).await
}

/// The texts that the agent said.
fn texts(events: &[Value]) -> Vec<String> {
    let said = events.iter().filter(|one| one["type"] == "session.message" && one["payload"]["role"] == "assistant");
    said.map(|one| one["payload"]["text"].as_str().unwrap().to_owned()).collect()
}
