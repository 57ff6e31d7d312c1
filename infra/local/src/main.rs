//! The command `ioc`: the whole product in one process.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use local::{services_for, supervise};

/// The control plane for autonomous coding sessions, in one process.
#[derive(Parser)]
#[command(version)]
struct Ioc {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start private Postgres and Valkey with temporary data, run a command with TEST_DATABASE_URL and TEST_REDIS_URL
    Services(services_for::Arguments),
    /// Run a server that ends when its starter does
    #[command(hide = true)]
    Supervise(supervise::Supervision),
}

fn main() -> ExitCode {
    match run(Ioc::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("ioc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> Result<u8> {
    match command {
        Command::Services(arguments) => services_for::run(arguments).await,
        Command::Supervise(supervision) => supervise::run(supervision).await,
    }
}
