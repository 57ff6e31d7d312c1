//! The program `ioc-runner`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runner::{doctor, sandbox::run_inside, service, settings::RunnerSettings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// The program beside the agents: takes work of a control plane, and runs coding agents in sandboxes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take work until Ctrl-C or SIGTERM; what has begun is finished
    Start(Box<RunnerSettings>),
    /// Say what this machine can isolate, and why not more
    Doctor(doctor::DoctorSettings),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // The first program in each sandbox.
    if arguments.next().is_some_and(|mode| mode == "inside") {
        let code = run_inside(arguments);
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    // The server of the tools says something about each call.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,rmcp=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Doctor(settings) => doctor::report(&settings).await,
        Command::Start(settings) => {
            let stop = CancellationToken::new();
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            let mut work = std::pin::pin!(service::run(*settings, stop.clone()));
            tokio::select! {
                ended = &mut work => return ended,
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("the runner takes no further work, and finishes what has begun");
            stop.cancel();
            work.await
        }
    }
}
