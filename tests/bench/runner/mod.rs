//! The runner: `ioc-runner` of the same profile, against an ioc in this process, the scripted model, and agents.

mod acp_agent;
mod chunks;
mod delays;
mod forwarder;
mod leftovers;
mod plane;
mod process;
mod programs;
mod sandboxes;
mod sessions;
mod workspaces;

use std::{fs, process::ExitCode};

use anyhow::Result;

use crate::{
    Effort,
    figure::{Figure, Samples, Target},
    process::built,
};

/// Runs this program as an agent, or between a runner and an agent, if its arguments ask for that.
pub(crate) fn run_as_agent() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next()?.as_str() {
        acp_agent::MODE => Some(acp_agent::run()),
        forwarder::MODE => Some(forwarder::run(arguments)),
        _ => None,
    }
}

/// # Errors
///
/// If a session fails, or something is missing without which nothing can be measured.
pub(crate) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let mut figures = vec![measure_program()?];
    figures.extend(Box::pin(sessions::measure(effort)).await?);
    figures.extend(Box::pin(programs::measure(effort)).await?);
    figures.push(Box::pin(sandboxes::measure(effort)).await?);
    figures.push(Box::pin(chunks::measure(effort)).await?);
    figures.extend(Box::pin(workspaces::measure(effort)).await?);
    figures.extend(Box::pin(delays::measure(effort)).await?);
    Ok(figures)
}

#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn measure_program() -> Result<Figure> {
    let bytes = fs::metadata(built("ioc-runner")?)?.len();
    let size: Samples = [bytes as f64 / 1e6].into_iter().collect();
    Ok(Figure::of("runner, program", "MB", &size).reaching(Target::Below(15.0)).note("1 MB is a million bytes"))
}
