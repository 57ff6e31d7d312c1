//! The program `ioc-server`, which `ioc` starts: the whole product in one process.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use local::{audit, conformance, demo, sign_in_links, supervise, up, with_services};

/// The control plane for autonomous coding sessions, in one process.
#[derive(Parser)]
#[command(name = "ioc", version)]
struct Ioc {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Commands for agents
    Agent(conformance::Arguments),
    /// Commands for the audit log
    Audit(audit::Arguments),
    /// Start everything, show the main job once, and serve the API until Ctrl-C
    Up(up::Arguments),
    /// Show the main job against the running ioc; succeeds only when it really completed
    Demo(demo::Arguments),
    /// Print a new link that opens the dashboard of the running ioc signed in
    Link(sign_in_links::Arguments),
    /// Run a command, such as tests, with a private Postgres and Valkey whose addresses are in its environment
    Services(with_services::Arguments),
    /// Run a server that ends with the process that started it
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
        Command::Agent(arguments) => conformance::run(arguments).await,
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Up(arguments) => up::run(arguments).await.map(|()| 0),
        Command::Demo(arguments) => demo::run(arguments).await.map(|()| 0),
        Command::Link(arguments) => sign_in_links::run(arguments).await.map(|()| 0),
        Command::Services(arguments) => with_services::run(arguments).await,
        Command::Supervise(supervision) => supervise::run(supervision).await,
    }
}
