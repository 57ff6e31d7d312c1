//! `ioc services -- COMMAND`: runs a command, such as the tests, with a private Postgres and Valkey.

use std::process::ExitStatus;

use anyhow::{Context, Result};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use crate::{
    services::{Postgres, PostgresOptions, Valkey, ValkeyOptions},
    supervise::code,
};

/// The command to run, and existing servers to use instead of private ones.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A Postgres to use instead of a private one: the URL of a user who may create databases and roles
    #[arg(long, env = "TEST_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A Redis or Valkey server to use instead of a private one
    #[arg(long, env = "TEST_REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    command: Vec<String>,
}

/// Runs the command and returns its exit code, or 128 and the signal that killed it.
pub async fn run(arguments: Arguments) -> Result<u8> {
    let own_postgres = async {
        if arguments.database_url.is_some() {
            Ok(None)
        } else {
            Postgres::start(&PostgresOptions::default()).await.map(Some)
        }
    };
    let own_valkey = async {
        if arguments.redis_url.is_some() { Ok(None) } else { Valkey::start(&ValkeyOptions::default()).await.map(Some) }
    };
    let (postgres, valkey) = tokio::try_join!(own_postgres, own_valkey)?;
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]);
    if let Some(postgres) = &postgres {
        command.env("TEST_DATABASE_URL", postgres.url());
    }
    if let Some(valkey) = &valkey {
        command.env("TEST_REDIS_URL", valkey.url());
    }
    let child = command.spawn().with_context(|| format!("{} cannot be started", arguments.command[0]));
    let ended = match child {
        Ok(child) => wait(child).await,
        Err(error) => Err(error),
    };
    if let Some(valkey) = &valkey {
        valkey.stop().await;
    }
    if let Some(postgres) = &postgres {
        postgres.stop().await;
    }
    ended.map(code)
}

/// Waits for the command. Ctrl-C reaches it directly; a signal that was sent only to this process is forwarded.
async fn wait(mut child: Child) -> Result<ExitStatus> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            ended = child.wait() => return Ok(ended?),
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            _ = terminate.recv() => if let Some(id) = child.id() {
                let process = nix::unistd::Pid::from_raw(id.cast_signed());
                _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM);
            },
        }
    }
}
