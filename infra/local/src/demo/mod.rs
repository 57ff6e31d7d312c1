//! The demo: an agent fixes a small program, and the demo follows it over the API like any client.

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
    console::{print_indented, print_line},
    env_file::EnvFile,
    model_discovery::SCRIPTED,
    paths,
    services::RUNNER_NAME,
};

/// How long the demo may take; a real model needs minutes.
const LIMIT: Duration = Duration::from_mins(10);

/// The instance to use.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Where its data and its keys are
    #[arg(long, default_value_os_t = paths::local())]
    local: PathBuf,
}

/// `ioc demo`: runs the demo against the instance that `.local/env` names.
pub async fn run(arguments: Arguments) -> Result<()> {
    let local = std::path::absolute(arguments.local)?;
    show(&local, &EnvFile::read(&local.join("env"))?).await
}

/// Runs the demo; succeeds only if the session completed and its diff contains the expected change.
pub(crate) async fn show(local: &Path, env: &EnvFile) -> Result<()> {
    let scripted = env.model == SCRIPTED;
    let directory = repository::prepare(local)?;
    let api = Api::new(env.clone())?;
    print_line("");
    print_line("The demo: an agent fixes a small program.");
    print_line(format!("    repository  {}", directory.display()));
    print_line(format!("    prompt      {}", repository::prompt(false)));
    if scripted {
        print_line("    model       the scripted model, which replays fixed steps, because no API key is configured");
    }
    let started = Instant::now();
    let session = create(&api, &directory, scripted).await?;
    let id = session["id"].as_str().context("the new session has no id")?;
    print_line(format!("    session     {id}"));
    print_line("");
    follow(&api, id, started).await?;
    let changed = conclude(&api, id, started).await?;
    ensure!(changed, "the session completed, but its diff does not hold {}", repository::PROGRAM);
    next::print_commands(local, env);
    Ok(())
}

async fn create(api: &Api, directory: &Path, scripted: bool) -> Result<Value> {
    let agent = choose_agent(api).await?;
    let session = json!({
        "title": "Mend fizz",
        "initial_prompt": repository::prompt(scripted),
        "agent_config": {"agent": agent},
        "workspace": {"directory": directory},
        "max_duration_seconds": LIMIT.as_secs(),
        "tags": ["demo"],
        "start": true,
    });
    api.post("/sessions", &session).await
}

/// The agent of the local runner: OpenCode, or the first of those that have a model.
async fn choose_agent(api: &Api) -> Result<String> {
    let agents = api.get(&format!("/agents?q={RUNNER_NAME}-&limit=100")).await?;
    let names = agents["items"].as_array().into_iter().flatten().filter_map(|agent| agent["name"].as_str());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(RUNNER_NAME)).collect();
    names.sort_by_key(|name| (!name.ends_with("-OPENCODE"), *name));
    names.first().map(|name| (*name).to_owned()).context("the runner has registered no agent")
}

/// Prints every event as it occurs, until the session has ended.
async fn follow(api: &Api, id: &str, started: Instant) -> Result<()> {
    let mut seen = 0;
    loop {
        // The state first: if it is final, the events read after it are complete.
        let session = api.get(&format!("/sessions/{id}")).await?;
        let events = api.get(&format!("/sessions/{id}/events?after={seen}&limit=200")).await?;
        let events = events["items"].as_array().cloned().unwrap_or_default();
        for event in &events {
            seen = event["seq"].as_i64().unwrap_or(seen);
            print_event(event, started);
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

fn print_event(event: &Value, started: Instant) {
    let Some(text) = story::line(event) else { return };
    let mut lines = text.lines();
    print_line(format!("{:7.1} s  {}", started.elapsed().as_secs_f64(), lines.next().unwrap_or_default()));
    for line in lines {
        print_line(format!("             {line}"));
    }
}

/// Prints the outcome and returns whether the expected file was changed. Fails if the session failed.
async fn conclude(api: &Api, id: &str, started: Instant) -> Result<bool> {
    let session = api.get(&format!("/sessions/{id}")).await?;
    let diff = api.get(&format!("/sessions/{id}/diff")).await?;
    let files = story::files(&diff);
    print_line("");
    for file in &files {
        print_line(format!(
            "    {} (+{} -{})",
            file["path"].as_str().unwrap_or_default(),
            file["additions"],
            file["deletions"]
        ));
        print_indented(file["patch"].as_str().unwrap_or_default());
    }
    let usage = &session["usage"];
    print_line("");
    print_line(format!(
        "    {} in {:.1} s: {} tokens in, {} out, {} from the cache; {} USD",
        session["status"].as_str().unwrap_or("ended"),
        started.elapsed().as_secs_f64(),
        usage["tokens_input"],
        usage["tokens_output"],
        usage["tokens_cached"],
        usage["cost_usd"].as_str().unwrap_or("0"),
    ));
    ensure!(session["status"] == "completed", "the session did not complete: {}", session["outcome"]);
    Ok(files.iter().any(|file| file["path"] == repository::PROGRAM))
}
