//! The servers that run while ioc does: started concurrently, monitored, and ended in order.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{sync::OnceCell, time::sleep};

use super::{Arguments, host::Places};
use crate::{
    console::print_line,
    env_file::EnvFile,
    model_discovery::{self, ModelEnvironment, SCRIPTED},
    scripted_model::{self, ScriptedModel},
    services::{Postgres, PostgresOptions, Runner, RunnerOptions, Valkey, ValkeyOptions},
};

pub(super) struct Running {
    /// Absent if the user named a server of their own; only its address is stored then.
    postgres: Option<Postgres>,
    valkey: Option<Valkey>,
    database_url: String,
    redis_url: String,
    model: ModelEnvironment,
    scripted: Option<ScriptedModel>,
    /// Started once the API is served, because it registers there.
    runner: OnceCell<Runner>,
}

impl Running {
    pub(super) async fn start(arguments: &Arguments) -> Result<Self> {
        let local = &arguments.local;
        let (postgres, valkey, (model, scripted)) = tokio::try_join!(
            postgres(arguments.database_url.as_deref(), local),
            valkey(arguments.redis_url.as_deref(), local),
            model(arguments.model.as_deref()),
        )?;
        let given = |url: &Option<String>| url.clone().unwrap_or_default();
        let database_url = postgres.as_ref().map_or_else(|| given(&arguments.database_url), Postgres::url);
        let redis_url = valkey.as_ref().map_or_else(|| given(&arguments.redis_url), Valkey::url);
        Ok(Self { postgres, valkey, database_url, redis_url, model, scripted, runner: OnceCell::new() })
    }

    /// Starts the runner for the served API, unless the user wants none.
    pub(super) async fn start_runner(&self, arguments: &Arguments, env: &EnvFile) -> Result<()> {
        if arguments.no_runner {
            print_line("ioc: no runner was started; `ioc-runner start` starts one");
            return Ok(());
        }
        let started = Instant::now();
        let mut directories = OsString::from(arguments.local.join("demo"));
        directories.push(":");
        directories.push(&arguments.directories);
        let runner = Runner::start(&RunnerOptions {
            url: env.url.clone(),
            key: env.key.clone(),
            data: Some(arguments.local.join("runner")),
            log: Some(arguments.local.join("log/runner.log")),
            model_environment: self.model.clone(),
            directories,
            programs: Vec::new(),
            slots: None,
        })
        .await?;
        print_line(format!("ioc: the runner is ready after {:.1} s", started.elapsed().as_secs_f64()));
        for line in runner.introduction().await {
            print_line(format!("ioc: {line}"));
        }
        _ = self.runner.set(runner);
        Ok(())
    }

    pub(super) fn places(&self, local: &Path) -> Places {
        Places {
            database_url: self.database_url.clone(),
            redis_url: self.redis_url.clone(),
            local: local.to_path_buf(),
        }
    }

    /// The model in `.local/env`.
    pub(super) fn model_kind(&self) -> &'static str {
        if self.scripted.is_some() { SCRIPTED } else { "own" }
    }

    /// Restarts every server that ended by itself. Never returns.
    pub(super) async fn mind(&self) {
        loop {
            sleep(Duration::from_secs(1)).await;
            if let Some(postgres) = &self.postgres
                && !postgres.runs().await
            {
                again("PostgreSQL", postgres.restart().await);
            }
            if let Some(valkey) = &self.valkey
                && !valkey.runs().await
            {
                again("Valkey", valkey.restart().await);
            }
            if let Some(runner) = self.runner.get()
                && !runner.runs().await
            {
                again("the runner", runner.restart().await);
            }
        }
    }

    /// Ends the runner, while the API is still served.
    pub(super) async fn stop_runner(&self) {
        if let Some(runner) = self.runner.get() {
            runner.stop().await;
        }
    }

    /// Ends them: first who asks, then who answers.
    pub(super) async fn stop(&self) {
        self.stop_runner().await;
        if let Some(valkey) = &self.valkey {
            valkey.stop().await;
        }
        if let Some(postgres) = &self.postgres {
            postgres.stop().await;
        }
    }
}

fn again(name: &str, restarted: Result<()>) {
    match restarted {
        Ok(()) => print_line(format!("ioc: {name} had ended by itself and was started again; see .local/log")),
        Err(error) => print_line(format!("ioc: {name} has ended and does not start again: {error:#}")),
    }
}

async fn postgres(given: Option<&str>, local: &Path) -> Result<Option<Postgres>> {
    if given.is_some() {
        print_line("ioc: PostgreSQL: the one in DATABASE_URL");
        return Ok(None);
    }
    let started = Instant::now();
    let log = Some(local.join("log/postgres.log"));
    let postgres = Postgres::start(&PostgresOptions { data: Some(local.join("postgres")), port: None, log }).await?;
    ready("PostgreSQL", postgres.port(), started);
    Ok(Some(postgres))
}

async fn valkey(given: Option<&str>, local: &Path) -> Result<Option<Valkey>> {
    if given.is_some() {
        print_line("ioc: Valkey: the one in REDIS_URL");
        return Ok(None);
    }
    let started = Instant::now();
    let log = Some(local.join("log/valkey.log"));
    let valkey = Valkey::start(&ValkeyOptions { data: Some(local.join("valkey")), port: None, log }).await?;
    ready("Valkey", valkey.port(), started);
    Ok(Some(valkey))
}

/// The user's own model, or a scripted one that this process serves.
async fn model(named: Option<&str>) -> Result<(ModelEnvironment, Option<ScriptedModel>)> {
    let environment: BTreeMap<_, _> = std::env::vars_os().collect();
    if let Some(own) = model_discovery::find(&environment, named) {
        print_line("ioc: the model is your own");
        return Ok((own, None));
    }
    let scripted = scripted_model::serve("127.0.0.1:0").await?;
    print_line("ioc: the model is the SCRIPTED one: no ANTHROPIC_API_KEY or OPENAI_API_KEY was found");
    Ok((model_discovery::scripted(&scripted.base_url()), Some(scripted)))
}

fn ready(name: &str, port: u16, started: Instant) {
    print_line(format!("ioc: {name} is ready on port {port} after {:.1} s", started.elapsed().as_secs_f64()));
}
