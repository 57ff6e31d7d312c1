//! What `docs/external-agent-protocol.md` says is what the code does: its examples are taken, its limits are the
//! code's.

use serde::de::DeserializeOwned;
use shared::{
    agents::eap::server::{
        HEARTBEAT_INTERVAL, MAX_ARTIFACTS, MAX_CLAIM, MAX_GRANTS, MAX_RESULT, MAX_WAIT, OFFLINE_AFTER, SUSPECT_AFTER,
        VERSION, lease_duration,
        registration::{AgentRegistration, Heartbeat, MAX_CAPABILITIES, NewHeartbeat, NewRegistration},
        report::{MAX_TEXT, NewProgress, Progress},
        result::{NewResult, TaskOutcome},
        sign::{TOLERANCE_SECONDS, sign_body},
        task::LeasedTask,
    },
    identity::auth::agent_tokens::ROTATION_OVERLAP,
};

fn document() -> String {
    std::fs::read_to_string(harness::child_process::root().join("docs/external-agent-protocol.md")).unwrap()
}

/// The example of JSON that begins so.
fn example<T: DeserializeOwned>(begins: &str) -> T {
    let text = document();
    let mut blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let found =
        blocks.find(|block| block.starts_with(begins)).unwrap_or_else(|| panic!("no example begins with {begins}"));
    serde_json::from_str(found).unwrap_or_else(|error| panic!("{error}: {found}"))
}

#[test]
fn every_documented_example_is_accepted_unchanged() {
    let agent = AgentRegistration::parse(example::<NewRegistration>("{\"protocol_version\"")).unwrap();
    assert_eq!((agent.capabilities.len(), agent.skills.len()), (1, 1));
    Heartbeat::parse(example::<NewHeartbeat>("{\"status\"")).unwrap();
    Progress::parse(example::<NewProgress>("{\"lease_token\"")).unwrap();
    let task: LeasedTask = example("{\"task_id\": \"1c2d3e4f-0a0b-8c0d-8e0f-101112131415\", \"session_id\"");
    assert!(task.task.context.continuation.is_some());
    let result: NewResult = example("{\"task_id\": \"1c2d3e4f-0a0b-8c0d-8e0f-101112131415\", \"lease_token\"");
    TaskOutcome::parse(result, task.task.task_id).unwrap();
}

#[test]
fn every_documented_limit_is_the_one_in_the_code() {
    // Lines of prose may break anywhere.
    let text = document().split_whitespace().collect::<Vec<_>>().join(" ");
    let mebibytes = u32::try_from(MAX_RESULT / 1024 / 1024).unwrap();
    for reported in [
        format!("# The External Agent Protocol {VERSION}"),
        format!("\"heartbeat_interval_seconds\": {}", HEARTBEAT_INTERVAL.as_secs()),
        format!("less than {SUSPECT_AFTER} intervals ({} s)", (HEARTBEAT_INTERVAL * SUSPECT_AFTER).as_secs()),
        format!("{OFFLINE_AFTER} intervals or more ({} s)", (HEARTBEAT_INTERVAL * OFFLINE_AFTER).as_secs()),
        format!("lasts four heartbeats ({} s)", lease_duration(HEARTBEAT_INTERVAL).as_secs()),
        format!("\"wait_seconds\": 0..{}, \"max\": 1..{MAX_CLAIM}", MAX_WAIT.as_secs()),
        format!("at most {MAX_CAPABILITIES}; a word"),
        format!("At most {MAX_ARTIFACTS} artifacts, and a body of at most {mebibytes} MiB in all"),
        format!("about {} MiB of content in base64", f64::from(mebibytes) * 0.75),
        format!("{} 000 characters", MAX_TEXT / 1000),
        format!("\"overlap_seconds\": {}", ROTATION_OVERLAP.num_seconds()),
        format!("more than {} minutes ago", TOLERANCE_SECONDS / 60),
    ] {
        assert!(text.contains(&reported), "{reported}");
    }
    assert_eq!((MAX_GRANTS, OFFLINE_AFTER), (3, 4), "stated in words");
}

#[test]
fn the_documented_signature_and_error_codes_are_those_of_the_code() {
    let text = document();
    let signed = sign_body(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
    );
    assert!(text.contains(&signed.unwrap()));
    let document = harness::openapi::document();
    let known = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    let (_, errors) = text.split_once("## Errors").unwrap();
    let codes = errors.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let codes: Vec<_> = codes.filter(|word| word.contains('_') || word.chars().all(char::is_uppercase)).collect();
    assert!(codes.len() >= 10, "{codes:?}");
    for code in codes {
        assert!(known.iter().any(|one| one == code), "{code}");
    }
}
