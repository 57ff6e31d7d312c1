//! `make bench`: what the product does in a second, how long it takes and what it needs, each beside the floor that the
//! same work has without it, measured in the same run. See docs/benchmarks.md.

mod agents;
mod append;
mod client;
mod compare;
mod curation;
mod figure;
mod guards;
mod handover;
mod http;
mod locks;
mod machine;
mod pgbench;
mod process;
mod resp;
mod runner;
mod sql;
mod stand;
mod starts;
mod watch;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Parser;
use shared::app::Settings;

use crate::{
    figure::{Figure, table},
    handover::Watched,
    machine::Machine,
    stand::Stand,
};

/// What can be measured.
const PARTS: [&str; 12] = [
    "http", "starts", "guards", "handover", "agents", "locks", "events", "watch", "curation", "runner", "host",
    "lambda",
];

/// Measures ioc.
#[derive(Parser)]
struct Arguments {
    /// Only show that everything can be measured: the figures mean little
    #[arg(long)]
    quick: bool,
    /// Also write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only some: http, starts, guards, handover, agents, locks, events, watch, curation, runner, lambda, host
    #[arg(long, value_delimiter = ',', value_parser = PARTS)]
    only: Vec<String>,
    /// Build this revision too, run its bench and ours in turns, and compare the figures of the same name
    #[arg(long, value_name = "REV")]
    compare: Option<String>,
    /// How often each bench runs with --compare; one time with --quick, else 3
    #[arg(long, requires = "compare")]
    rounds: Option<usize>,
    /// Leave the floors of pgbench out
    #[arg(long, hide = true)]
    without_floors: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

/// How long to measure.
struct Effort {
    runs: usize,
    /// Of each run.
    time: Duration,
    /// Sessions started one by one.
    starts: usize,
    /// Processes started.
    processes: usize,
    /// Sessions that a runner works on, one after the other.
    sessions: usize,
}

impl Effort {
    const FULL: Self = Self { runs: 3, time: Duration::from_secs(3), starts: 200, processes: 15, sessions: 500 };
    const QUICK: Self = Self { runs: 1, time: Duration::from_secs(1), starts: 25, processes: 2, sessions: 12 };
}

fn main() -> Result<ExitCode> {
    // In the sandbox of a runner this program is an agent, and knows no other arguments.
    if let Some(code) = runner::run_as_agent() {
        return Ok(code);
    }
    run()?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let machine = Machine::describe().await?;
    let (text, report) = if let Some(revision) = &arguments.compare {
        let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 3 });
        let parts = PARTS.into_iter().filter(|part| arguments.wants(part)).collect();
        let comparison = compare::run(&compare::Plan { revision, parts, rounds, quick: arguments.quick }).await?;
        (comparison.text(), serde_json::json!({"comparison": comparison}))
    } else {
        if arguments.without_floors {
            pgbench::leave_out();
        }
        let figures = measure(&arguments).await?;
        if arguments.quick {
            check_complete(&figures)?;
        }
        (table(&figures), serde_json::json!({"figures": figures}))
    };
    say(&format!("{}\n\n{text}", machine.text()));
    if let Some(path) = &arguments.json {
        let mut report = report;
        report["machine"] = serde_json::json!(machine);
        report["quick"] = arguments.quick.into();
        fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

/// A smoke run is there to show that everything can be measured.
fn check_complete(figures: &[Figure]) -> Result<()> {
    let missing = figures.iter().filter(|figure| figure.median.is_none());
    let missing: Vec<_> = missing.map(|figure| format!("{}: {}", figure.name, figure.note)).collect();
    anyhow::ensure!(missing.is_empty(), "these figures could not be measured:\n{}", missing.join("\n"));
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Vec<Figure>> {
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let mut figures = Vec::new();
    if ["http", "handover", "agents"].into_iter().any(|part| arguments.wants(part)) {
        figures.extend(measure_on_stand(arguments, &effort).await?);
    }
    if arguments.wants("starts") {
        figures.extend(Box::pin(starts::measure(&effort)).await?);
    }
    if arguments.wants("guards") {
        figures.extend(Box::pin(guards::measure(&effort)).await?);
    }
    if arguments.wants("locks") {
        figures.push(Box::pin(locks::measure(&effort)).await?);
    }
    if arguments.wants("events") {
        figures.push(Box::pin(append::measure(&effort)).await?);
    }
    if arguments.wants("watch") {
        figures.extend(Box::pin(watch::measure(&effort)).await?);
    }
    if arguments.wants("curation") {
        figures.extend(Box::pin(curation::measure(&effort)).await?);
    }
    if arguments.wants("runner") {
        figures.extend(Box::pin(runner::measure(&effort)).await?);
    }
    if arguments.wants("host") {
        figures.extend(Box::pin(process::local_host(&effort)).await);
    }
    if arguments.wants("lambda") {
        figures.extend(Box::pin(process::lambda(&effort)).await);
    }
    Ok(figures)
}

/// The parts that share a stand.
async fn measure_on_stand(arguments: &Arguments, effort: &Effort) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let watched = Watched::new(0);
    let stand = Stand::new(watched.clone(), Settings::default()).await?;
    if arguments.wants("http") {
        figures.extend(Box::pin(http::measure(&stand, effort)).await?);
    }
    if arguments.wants("handover") {
        figures.extend(Box::pin(handover::measure(&stand, &watched, effort)).await?);
    }
    if arguments.wants("agents") {
        figures.extend(Box::pin(agents::measure(&stand, effort)).await?);
    }
    Ok(figures)
}

#[expect(clippy::print_stdout, reason = "its output is what a bench is for")]
fn say(text: &str) {
    println!("{text}");
}
