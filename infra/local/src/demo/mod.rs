//! The shown job: an agent mends a small program, followed over the API as any client would.

mod api;
mod next;
mod repository;
mod story;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use api::Api;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    checkout,
    env_file::EnvFile,
    own_model::SCRIPTED,
    say::{indented, say},
};

/// How long the whole may take; a real model thinks.
const LIMIT: Duration = Duration::from_mins(10);

/// Which ioc.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Where its data and its keys are
    #[arg(long, default_value_os_t = checkout::local())]
    local: PathBuf,
}

/// `ioc demo`: shows the job against the ioc that `.local/env` names.
pub async fn run(arguments: Arguments) -> Result<()> {
    let local = std::path::absolute(arguments.local)?;
    show(&local, &EnvFile::read(&local.join("env"))?).await
}

/// Shows the job; succeeds only when the session completed and its diff holds the expected change.
pub(crate) async fn show(local: &Path, env: &EnvFile) -> Result<()> {
    let scripted = env.model == SCRIPTED;
    let directory = repository::prepare(local)?;
    let api = Api::new(env.clone())?;
    say("");
    say("The main job, once: an agent mends a small program.");
    say(format!("    repository  {}", directory.display()));
    say(format!("    prompt      {}", repository::prompt(false)));
    if scripted {
        say("    model       the scripted one: without a key of yours nobody thinks here, the agent plays a script");
    }
    let started = Instant::now();
    let session = create(&api, &directory, scripted).await?;
    let id = session["id"].as_str().context("the new session has no id")?;
    say(format!("    session     {id}"));
    say("");
    follow(&api, id, started).await?;
    let changed = conclude(&api, id, started).await?;
    ensure!(changed, "the session completed, but its diff does not hold {}", repository::PROGRAM);
    next::tell(local, env);
    Ok(())
}

async fn create(api: &Api, directory: &Path, scripted: bool) -> Result<Value> {
    let session = json!({
        "title": "Mend fizz",
        "initial_prompt": repository::prompt(scripted),
        "agent_config": {"agent": "opencode"},
        "workspace": {"directory": directory},
        "max_duration_seconds": LIMIT.as_secs(),
        "tags": ["demo"],
        "start": true,
    });
    api.post("/sessions", &session).await
}

/// Tells every event as it comes, until the session has ended.
async fn follow(api: &Api, id: &str, started: Instant) -> Result<()> {
    let mut seen = 0;
    loop {
        // The state first: when it is an end, the events read after it are all there are.
        let session = api.get(&format!("/sessions/{id}")).await?;
        let events = api.get(&format!("/sessions/{id}/events?after={seen}&limit=200")).await?;
        let events = events["items"].as_array().cloned().unwrap_or_default();
        for event in &events {
            seen = event["seq"].as_i64().unwrap_or(seen);
            tell(event, started);
        }
        match session["status"].as_str().unwrap_or_default() {
            "pending" | "queued" | "running" | "degraded" => {}
            "paused" => bail!("the session is paused and waits for a person: {}", session["pause"]),
            _ if events.is_empty() => return Ok(()),
            _ => continue,
        }
        ensure!(started.elapsed() < LIMIT, "the session has not ended after {} s", LIMIT.as_secs());
        sleep(Duration::from_millis(150)).await;
    }
}

fn tell(event: &Value, started: Instant) {
    let Some(told) = story::line(event) else { return };
    let mut lines = told.lines();
    say(format!("{:7.1} s  {}", started.elapsed().as_secs_f64(), lines.next().unwrap_or_default()));
    for line in lines {
        say(format!("             {line}"));
    }
}

/// Prints what came of it; answers whether the expected file was changed. Fails when the session did.
async fn conclude(api: &Api, id: &str, started: Instant) -> Result<bool> {
    let session = api.get(&format!("/sessions/{id}")).await?;
    let diff = api.get(&format!("/sessions/{id}/diff")).await?;
    let files = story::files(&diff);
    say("");
    for file in &files {
        say(format!(
            "    {} (+{} -{})",
            file["path"].as_str().unwrap_or_default(),
            file["additions"],
            file["deletions"]
        ));
        indented(file["patch"].as_str().unwrap_or_default());
    }
    let usage = &session["usage"];
    say("");
    say(format!(
        "    {} in {:.1} s: {} tokens in, {} out, {} from the cache; {} USD",
        session["status"].as_str().unwrap_or("ended"),
        started.elapsed().as_secs_f64(),
        usage["tokens_input"],
        usage["tokens_output"],
        usage["tokens_cached"],
        usage["cost_usd"].as_str().unwrap_or("0"),
    ));
    ensure!(session["status"] == "completed", "the session ended otherwise: {}", session["outcome"]);
    Ok(files.iter().any(|file| file["path"] == repository::PROGRAM))
}
