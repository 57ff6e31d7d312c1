//! Delays that people and fleets see: until what an agent says is at a subscriber, and until a task is claimed from a pool
//! of a hundred runners.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{
    runner::registration,
    websocket::{Socket, connect},
};
use serde_json::{Value, json};
use shared::events::stream::{ConnectionHub, hub::serve::serve_connections};
use tokio::{task::JoinSet, time::interval};

use super::{
    acp_agent::HOLD,
    forwarder::{find_asked, read_clock},
    plane::{Plane, Session},
    process::{Runner, scripted_program},
};
use crate::{
    Effort,
    client::{Client, millis},
    figure::{Figure, Samples, Target},
    stand::SESSIONS,
};

/// Runners of the pool, of one slot each, and the pause between two starts.
const RUNNERS: usize = 100;
const START_PAUSE: Duration = Duration::from_millis(20);

/// When a session was started, by its id.
type Started = Arc<Mutex<BTreeMap<String, Instant>>>;

pub(super) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let spoken = measure_events(effort.processes).await?;
    let claimed = measure_claims(effort.starts).await?;
    Ok(vec![
        Figure::of("runner, said to seen", "ms", &spoken)
            .reaching(Target::Below(150.0))
            .note("from the line that an agent writes to the frame at a subscriber"),
        claimed,
    ])
}

/// From what an agent says to a subscriber of all sessions, one session at a time.
#[expect(clippy::cast_precision_loss, reason = "some milliseconds")]
async fn measure_events(count: usize) -> Result<Samples> {
    let plane = Plane::new().await?;
    let app = plane.stand.world.app.clone();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let hub = app.backend.hub().cloned().unwrap_or_else(ConnectionHub::default);
        serve_connections(&hub, &app).await;
    });
    let runner = Runner::start(&plane, 1, &[scripted_program()?]).await?;
    let agent = plane.wait_for_agent(super::process::SCRIPTED).await?;
    let url = plane.url().replacen("http", "ws", 1);
    let subscribed = connect(&format!("{url}/ws/sessions"), Some(plane.key())).await;
    let mut socket = subscribed.map_err(|status| anyhow::anyhow!("the stream was refused with {status}"))?;
    socket.until("subscription.confirmed").await;
    let (mut client, mut samples) = (plane.client().await?, Samples::default());
    for number in 0..count {
        let folder = runner.session_folder(number);
        let session = Session { agent: &agent, folder: &folder, prompt: HOLD };
        let id = plane.start(&mut client, &session).await?;
        let (said, seen) = wait_for_words(&mut socket).await?;
        samples.push(seen.saturating_sub(said) as f64 / 1e3);
        client.send("POST", &format!("{SESSIONS}/{id}/stop"), "").await?;
    }
    runner.stop().await?;
    Ok(samples)
}

/// When the agent spoke, and when its words came, in microseconds.
async fn wait_for_words(socket: &mut Socket) -> Result<(u64, u64)> {
    loop {
        let frame = socket.any().await.map_err(|closed| anyhow::anyhow!("the stream ended: {closed:?}"))?;
        if let Some(said) = find_asked(&frame["payload"].to_string()) {
            return Ok((said, read_clock()));
        }
    }
}

/// From the start of a session being sent to its claim being answered, with a hundred runners that wait.
async fn measure_claims(count: usize) -> Result<Figure> {
    let plane = Plane::new().await?;
    let started = Started::default();
    let mut claims = JoinSet::new();
    let world = &plane.stand.world;
    let mut agent = String::new();
    for number in 0..RUNNERS {
        let mut body = registration(&format!("runner-{number}"), &["opencode"]);
        body["slots"] = json!(1);
        let runner = world.enrol(&world.tenant, "fleet", body).await;
        runner.heartbeat("active").await;
        agent.clone_from(&runner.agents["opencode"]);
        let client = Client::connect(&plane.stand.place).await?;
        claims.spawn(claim_all(client, runner.credential.clone(), agent.clone(), started.clone()));
    }
    let name = plane.wait_for_agent("opencode").await?;
    let mut person = plane.client().await?;
    let mut pace = interval(START_PAUSE);
    for _ in 0..count {
        pace.tick().await;
        let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "start": true, "agent_config": {"agent": name}});
        let sent = Instant::now();
        let made = person.json("POST", SESSIONS, &body.to_string()).await?;
        let id = made["id"].as_str().context("a session has an id")?.to_owned();
        started.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sent);
    }
    let (mut samples, mut claimed) = (Samples::default(), Vec::new());
    for of_runner in claims.join_all().await {
        for (session, at) in of_runner? {
            let sent = started.lock().unwrap_or_else(PoisonError::into_inner).get(&session).copied();
            samples.push(millis(at.duration_since(sent.context("a session that nobody started")?)));
            claimed.push(session);
        }
    }
    let distinct: BTreeSet<_> = claimed.iter().collect();
    ensure!((claimed.len(), distinct.len()) == (count, count), "{} claims of {count} sessions", claimed.len());
    Ok(Figure::of("runner, start to claim by one of 100", "ms", &samples)
        .reaching(Target::BothBelow(250.0, 250.0))
        .note(format!("from the POST of the start being sent; {count} sessions, 50 a second, each claimed once")))
}

/// Claims and ends tasks until there has been none for two seconds. Returns the session of each, and when it came.
async fn claim_all(
    mut client: Client,
    credential: String,
    agent: String,
    started: Started,
) -> Result<Vec<(String, Instant)>> {
    client.becomes(&credential);
    let (tasks, mut claimed) = (format!("/api/v1/agents/external/{agent}/tasks"), Vec::new());
    loop {
        let has_begun = !started.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let answer = client.send("POST", &format!("{tasks}/claim"), r#"{"wait_seconds": 2}"#).await?;
        let at = Instant::now();
        if answer.is_empty() {
            if has_begun {
                return Ok(claimed);
            }
            continue;
        }
        let answer: Value = serde_json::from_slice(answer)?;
        let task = &answer["tasks"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        claimed.push((text(&task["session_id"]), at));
        let id = text(&task["task_id"]);
        let result = json!({"task_id": id, "status": "completed", "lease_token": task["lease"]["token"],
                            "output_data": {"text": "Done."}});
        client.send("POST", &format!("{tasks}/{id}/result"), &result.to_string()).await?;
    }
}
