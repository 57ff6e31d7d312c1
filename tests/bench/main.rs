//! `make bench`: what the product does in a second, how long it takes and what it needs, each beside the floor that the
//! same work has without it, measured in the same run. See docs/benchmarks.md.

mod agents;
mod append;
mod client;
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
mod sql;
mod stand;
mod watch;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::Parser;
use shared::app::Settings;

use crate::{figure::table, handover::Watched, machine::Machine, stand::Stand};

/// Measures ioc.
#[derive(Parser)]
struct Arguments {
    /// Only show that everything can be measured: the figures mean little
    #[arg(long)]
    quick: bool,
    /// Also write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only some: http, guards, handover, agents, locks, events, watch, curation, lambda, host
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
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
}

impl Effort {
    const FULL: Self = Self { runs: 3, time: Duration::from_secs(3), starts: 200, processes: 15 };
    const QUICK: Self = Self { runs: 1, time: Duration::from_secs(1), starts: 25, processes: 2 };
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let machine = Machine::describe().await?;
    let wanted = |part: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == part);
    let mut figures = Vec::new();
    if wanted("http") || wanted("handover") || wanted("agents") {
        let watched = Watched::new(0);
        let stand = Stand::new(watched.clone(), Settings::default()).await?;
        if wanted("http") {
            figures.extend(Box::pin(http::measure(&stand, &effort)).await?);
        }
        if wanted("handover") {
            figures.extend(Box::pin(handover::measure(&stand, &watched, &effort)).await?);
        }
        if wanted("agents") {
            figures.extend(Box::pin(agents::measure(&stand, &effort)).await?);
        }
    }
    if wanted("guards") {
        figures.extend(Box::pin(guards::measure(&effort)).await?);
    }
    if wanted("locks") {
        figures.push(Box::pin(locks::measure(&effort)).await?);
    }
    if wanted("events") {
        figures.push(Box::pin(append::measure(&effort)).await?);
    }
    if wanted("watch") {
        figures.extend(Box::pin(watch::measure(&effort)).await?);
    }
    if wanted("curation") {
        figures.extend(Box::pin(curation::measure(&effort)).await?);
    }
    if wanted("host") {
        figures.extend(Box::pin(process::local_host(&effort)).await);
    }
    if wanted("lambda") {
        figures.extend(Box::pin(process::lambda(&effort)).await);
    }
    say(&format!("{}\n\n{}", machine.text(), table(&figures)));
    if let Some(path) = &arguments.json {
        let report = serde_json::json!({"machine": machine, "quick": arguments.quick, "figures": figures});
        fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "its output is what a bench is for")]
fn say(text: &str) {
    println!("{text}");
}
