//! The servers that run while ioc does: started concurrently, monitored, and ended in order.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::{Arguments, host::Places};
use crate::{
    console::print_line,
    model_discovery::{self, SCRIPTED},
    scripted_model::{self, ScriptedModel},
    services::{Model, OpenCode, OpenCodeOptions, Postgres, PostgresOptions, Valkey, ValkeyOptions},
};

pub(super) struct Running {
    /// Absent if the user named a server of their own; only its address is stored then.
    postgres: Option<Postgres>,
    valkey: Option<Valkey>,
    database_url: String,
    redis_url: String,
    directories: String,
    opencode: Option<OpenCode>,
    opencode_url: String,
    opencode_password: String,
    scripted: Option<ScriptedModel>,
}

impl Running {
    pub(super) async fn start(arguments: &Arguments) -> Result<Self> {
        let local = &arguments.local;
        let (postgres, valkey, (opencode, scripted)) = tokio::try_join!(
            postgres(arguments.database_url.as_deref(), local),
            valkey(arguments.redis_url.as_deref(), local),
            opencode(arguments, local),
        )?;
        let given = |url: &Option<String>| url.clone().unwrap_or_default();
        let database_url = postgres.as_ref().map_or_else(|| given(&arguments.database_url), Postgres::url);
        let redis_url = valkey.as_ref().map_or_else(|| given(&arguments.redis_url), Valkey::url);
        let opencode_url = opencode.as_ref().map_or_else(|| given(&arguments.opencode_url), OpenCode::url);
        let own_password = opencode.as_ref().map(|opencode| opencode.password().to_owned());
        let opencode_password = own_password.unwrap_or_else(|| given(&arguments.opencode_password));
        let directories = arguments.directories.to_string_lossy().into_owned();
        Ok(Self {
            postgres,
            valkey,
            database_url,
            redis_url,
            directories,
            opencode,
            opencode_url,
            opencode_password,
            scripted,
        })
    }

    pub(super) fn places(&self, local: &Path) -> Places {
        Places {
            database_url: self.database_url.clone(),
            redis_url: self.redis_url.clone(),
            opencode_url: self.opencode_url.clone(),
            opencode_password: self.opencode_password.clone(),
            directories: self.directories.clone(),
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
            if let Some(opencode) = &self.opencode
                && !opencode.runs().await
            {
                again("OpenCode", opencode.restart().await);
            }
        }
    }

    /// Ends them: first who asks, then who answers.
    pub(super) async fn stop(&self) {
        if let Some(opencode) = &self.opencode {
            opencode.stop().await;
        }
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

async fn opencode(arguments: &Arguments, local: &Path) -> Result<(Option<OpenCode>, Option<ScriptedModel>)> {
    if arguments.opencode_url.is_some() {
        print_line("ioc: OpenCode: the one in OPENCODE_URL, with the model that it has");
        return Ok((None, None));
    }
    let started = Instant::now();
    let environment: BTreeMap<_, _> = std::env::vars_os().collect();
    let (model, scripted) = if let Some(own) = model_discovery::find(&environment, arguments.model.clone()) {
        (Model::Own(own), None)
    } else {
        let scripted = scripted_model::serve("127.0.0.1:0").await?;
        (Model::Scripted { base_url: scripted.base_url() }, Some(scripted))
    };
    let options = OpenCodeOptions {
        data: Some(local.join("agent")),
        log: Some(local.join("log/opencode.log")),
        // A question pauses the session until a person answers it: nothing hangs.
        permission: json!({"question": "allow"}),
        ..OpenCodeOptions::new(model)
    };
    let opencode = OpenCode::start(&options).await?;
    ready("OpenCode", opencode.port(), started);
    match &scripted {
        Some(_) => print_line(
            "ioc: the model is the SCRIPTED one: no ANTHROPIC_API_KEY, OPENAI_API_KEY or OpenCode configuration was found",
        ),
        None => print_line("ioc: the model is your own"),
    }
    Ok((Some(opencode), scripted))
}

fn ready(name: &str, port: u16, started: Instant) {
    print_line(format!("ioc: {name} is ready on port {port} after {:.1} s", started.elapsed().as_secs_f64()));
}
