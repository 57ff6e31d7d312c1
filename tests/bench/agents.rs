//! External agents: heartbeats of a thousand agents, concurrent claims, and the delay until waiting agents have work.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::superuser::Superuser;
use serde_json::Value;
use shared::{
    identity::auth::agent_tokens,
    kernel::{actor::Actor, id::AgentId},
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Effort,
    client::{Client, millis},
    figure::{Figure, Samples, Target},
    stand::{SESSIONS, Stand},
};

const BEATING: usize = 1000;
const BEATS_AT_ONCE: usize = 16;
const PULLING: usize = 64;
const WAITING: usize = 10_000;

/// An agent, by its id, and its token.
type Agent = (AgentId, String);

pub(crate) async fn measure(stand: &Stand, effort: &Effort) -> Result<Vec<Figure>> {
    let owner = Superuser::of(&stand.world.database.owner_url).await;
    let agents: Arc<[Agent]> = agents(stand, &owner).await?.into();
    let (mut beats, mut claims) = (Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        beats.push((heartbeat(stand, &agents, effort.time).await?, None));
        claims.push((claim(stand, &owner, &agents).await?, None));
    }
    let pulled = pull(stand, &agents[0], effort.starts).await?;
    Ok(vec![
        Figure::rate("heartbeats, 1 000 agents", &beats).note("16 at once, each of the agents in turn"),
        Figure::rate("claims, 64 agents", &claims).note("10 000 waiting tasks, each handed out once"),
        Figure::of("start to pulled assignment", "ms", &pulled)
            .reaching(Target::Below(25.0))
            .note("a claim waits; from the POST of the start being sent to the claim being answered"),
    ])
}

/// A thousand agents, each with a token of its own.
async fn agents(stand: &Stand, owner: &Superuser) -> Result<Vec<Agent>> {
    let (app, tenant) = (&stand.world.app, stand.world.tenant.id);
    let mut agents = Vec::with_capacity(BEATING);
    for at in 0..BEATING {
        let id = AgentId::new();
        let sql = format!(
            "insert into agents (id, tenant_id, name, kind, capacity, last_heartbeat_at, created_at, updated_at)
             values ('{id}', '{tenant}', 'BENCH-{at}', 'eap', 50, now(), now(), now())"
        );
        owner.run(&sql).await;
        agents.push((id, agent_tokens::create(app, tenant, Actor::system_part("bench"), id, None).await?.text));
    }
    Ok(agents)
}

fn path(agent: &Agent, rest: &str) -> String {
    format!("/api/v1/agents/external/{}/{rest}", agent.0)
}

/// Heartbeats taken in, in a second.
async fn heartbeat(stand: &Stand, agents: &Arc<[Agent]>, time: Duration) -> Result<f64> {
    const BEAT: &str = r#"{"status": "healthy", "current_load": 0.5, "tasks_in_progress": 2, "metrics": {"queue": 3}}"#;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for first in 0..BEATS_AT_ONCE {
        let (mut client, agents) = (Client::connect(&stand.place).await?, agents.clone());
        tasks.spawn(async move {
            let mut beats = 0_u32;
            for agent in agents.iter().cycle().skip(first).step_by(BEATS_AT_ONCE) {
                client.becomes(&agent.1);
                client.send("POST", &path(agent, "heartbeat"), BEAT).await?;
                beats += 1;
                if began.elapsed() >= time {
                    break;
                }
            }
            anyhow::Ok(beats)
        });
    }
    let mut beats = 0;
    for done in tasks.join_all().await {
        beats += done?;
    }
    Ok(f64::from(beats) / began.elapsed().as_secs_f64())
}

/// Claims in a second, until all that waits is handed out; fails when anything was handed out twice, or not at all.
async fn claim(stand: &Stand, owner: &Superuser, agents: &Arc<[Agent]>) -> Result<f64> {
    let mut person = Client::connect(&stand.place).await?;
    let session = stand.pending(&mut person, "{}").await?;
    // Only tasks of sessions at work, or paused, are handed out. A paused one is left alone.
    owner.place(&session, "paused").await;
    fill(stand, owner, &session, agents).await;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for at in 0..PULLING {
        let (mut client, agents) = (Client::connect(&stand.place).await?, agents.clone());
        tasks.spawn(async move {
            let agent = &agents[at];
            client.becomes(&agent.1);
            let mut claimed = Vec::new();
            loop {
                let answer = client.send("POST", &path(agent, "tasks/claim"), "{}").await?;
                if answer.is_empty() {
                    return anyhow::Ok(claimed);
                }
                let answer: Value = serde_json::from_slice(answer)?;
                let id = answer["tasks"][0]["task_id"].as_str().context("a task without an id")?;
                claimed.push(id.to_owned());
            }
        });
    }
    let mut claimed = Vec::new();
    for done in tasks.join_all().await {
        claimed.extend(done?);
    }
    let seconds = began.elapsed().as_secs_f64();
    let distinct: BTreeSet<_> = claimed.iter().collect();
    ensure!((claimed.len(), distinct.len()) == (WAITING, WAITING), "{} claims of {}", claimed.len(), distinct.len());
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let claims = claimed.len() as f64;
    Ok(claims / seconds)
}

/// Tasks that wait, spread over the agents that pull.
async fn fill(stand: &Stand, owner: &Superuser, session: &str, agents: &[Agent]) {
    let tenant = stand.world.tenant.id;
    let pulling: Vec<_> = agents[..PULLING].iter().map(|(id, _)| format!("'{id}'::uuid")).collect();
    let task = format!(
        r#"{{"session_id": "{session}", "task_type": "execution", "context": {{"title": "Fix the parser", "prompt": "Do it."}},
            "input_data": {{}}, "requirements": {{}}, "timeout_seconds": 3600, "callback_url": ""}}"#
    );
    let sql = format!(
        "insert into agent_tasks (tenant_id, id, session_id, run, agent_id, delivery, status, assignment, created_at, updated_at)
         select '{tenant}', t.id, '{session}', t.run, (array[{agents}])[1 + t.run % {PULLING}], 'pull', 'waiting',
                '{task}'::jsonb || jsonb_build_object('task_id', t.id), now(), now()
         from (select gen_random_uuid() as id, run from generate_series(1, {WAITING}) run) t;
         analyze agent_tasks",
        agents = pulling.join(", "),
    );
    owner.run(&sql).await;
}

/// How long from a start to the answer of a claim that waits for it.
async fn pull(stand: &Stand, agent: &Agent, count: usize) -> Result<Samples> {
    let (mut person, mut puller) = (Client::connect(&stand.place).await?, Client::connect(&stand.place).await?);
    puller.becomes(&agent.1);
    let config = format!(r#"{{"agent": "{}"}}"#, agent.0);
    let mut samples = Samples::default();
    for _ in 0..count {
        let id = stand.pending(&mut person, &config).await?;
        let claim = path(agent, "tasks/claim");
        let started = async {
            // Until the claim waits.
            sleep(Duration::from_millis(20)).await;
            let sent = Instant::now();
            person.send("POST", &format!("{SESSIONS}/{id}/start"), "").await?;
            anyhow::Ok(sent)
        };
        let claimed = async {
            let task = puller.json("POST", &claim, r#"{"wait_seconds": 20}"#).await?;
            anyhow::Ok((task, Instant::now()))
        };
        let (sent, claimed) = tokio::join!(started, claimed);
        let (sent, (answer, at)) = (sent?, claimed?);
        samples.push(millis(at.saturating_duration_since(sent)));
        let task = answer["tasks"][0]["task_id"].as_str().context("no task came")?;
        let result = format!(
            r#"{{"task_id": "{task}", "status": "completed", "execution_time_ms": 1, "tokens_used": 1, "cost_usd": 0,
                "output_data": {{"text": "Done."}}}}"#
        );
        puller.send("POST", &path(agent, &format!("tasks/{task}/result")), &result).await?;
    }
    Ok(samples)
}
