//! Many sessions one after the other on one runner, four at a time: none may fail, and nothing may be left.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use super::{
    acp_agent::HOLD,
    leftovers::Leftovers,
    plane::{Plane, Session},
    process::{Runner, SCRIPTED, scripted_program},
};
use crate::{
    Effort,
    client::{Client, rate},
    figure::{Figure, Samples, Target, short},
    process::resident,
    stand::SESSIONS,
};

/// Sessions at a time.
const AT_ONCE: usize = 4;
/// Sessions at a time when the memory of a busy runner is measured.
const BUSY: usize = 8;

pub(super) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let plane = Plane::new().await?;
    let mut figures = measure_sequence(&plane, effort.sessions).await?;
    figures.push(measure_busy_runner(&plane).await?);
    Ok(figures)
}

async fn measure_sequence(plane: &Plane, count: usize) -> Result<Vec<Figure>> {
    let runner = Runner::start(plane, AT_ONCE, &[scripted_program()?]).await?;
    let agent = plane.wait_for_agent(SCRIPTED).await?;
    // Every slot has worked before the first measurement: what the runner allocates once is not growth.
    run_all(plane, &runner, &agent, count / 10 + AT_ONCE).await?;
    let at_start = settle(&runner).await?;
    let began = Instant::now();
    run_all(plane, &runner, &agent, count).await?;
    let took = began.elapsed();
    let at_end = settle(&runner).await?;
    let left = Leftovers::count(runner.id()?, &runner.data());
    runner.stop().await?;
    let note = format!("{} MiB before them, {count} sessions", short(at_start));
    Ok(vec![
        Figure::rate("runner, sessions 4 at a time", &[(rate(count, took), None)]).note("with a scripted agent"),
        Figure::of("runner, resident after the sessions", "MiB", &one(at_end))
            .reaching(Target::Below(at_start * 1.1))
            .note(note),
        Figure::of("runner, left of the sessions", "", &one(as_figure(left.total())))
            .reaching(Target::Below(1.0))
            .note(format!("{left:?}")),
    ])
}

/// The resident set while agents of eight sessions work.
async fn measure_busy_runner(plane: &Plane) -> Result<Figure> {
    let runner = Runner::start(plane, BUSY, &[renamed("busy")?]).await?;
    let agent = plane.wait_for_agent("busy").await?;
    let mut client = plane.client().await?;
    let mut ids = Vec::new();
    for number in 0..BUSY {
        let folder = runner.session_folder(number);
        let session = Session { agent: &agent, folder: &folder, prompt: HOLD };
        ids.push(plane.start(&mut client, &session).await?);
    }
    for id in &ids {
        wait_until_asked(plane, &mut client, id).await?;
    }
    let mut samples = Samples::default();
    for _ in 0..8 {
        samples.push(resident(runner.id()?).await?);
        sleep(Duration::from_millis(100)).await;
    }
    for id in &ids {
        client.send("POST", &format!("{SESSIONS}/{id}/stop"), "").await?;
    }
    settle(&runner).await?;
    runner.stop().await?;
    Ok(Figure::of("runner, resident with 8 sessions", "MiB", &samples).reaching(Target::Below(40.0)))
}

fn renamed(name: &str) -> Result<runner::programs::AgentProgram> {
    Ok(runner::programs::AgentProgram { name: name.to_owned(), ..scripted_program()? })
}

async fn wait_until_asked(plane: &Plane, client: &mut Client, id: &str) -> Result<()> {
    let late = Instant::now() + Duration::from_mins(1);
    while plane.read_asked(client, id).await?.is_none() {
        ensure!(Instant::now() < late, "the agent of session {id} was not asked within a minute");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Starts sessions and waits until all of them are completed; the slots of the runner bound how many work at once.
async fn run_all(plane: &Plane, runner: &Runner, agent: &str, count: usize) -> Result<()> {
    let mut client = plane.client().await?;
    let mut ids = Vec::new();
    for number in 0..count {
        let folder = runner.session_folder(number);
        let session = Session { agent, folder: &folder, prompt: "Do it." };
        ids.push(plane.start(&mut client, &session).await?);
    }
    for id in ids {
        plane.wait_for_completion(&mut client, &id).await?;
    }
    Ok(())
}

/// The resident set in MiB, once nothing of a session is there any more, or after ten seconds with what is left.
async fn settle(runner: &Runner) -> Result<f64> {
    let late = Instant::now() + Duration::from_secs(10);
    while Leftovers::count(runner.id()?, &runner.data()).total() > 0 && Instant::now() < late {
        sleep(Duration::from_millis(50)).await;
    }
    resident(runner.id()?).await
}

fn one(value: f64) -> Samples {
    [value].into_iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
fn as_figure(count: usize) -> f64 {
    count as f64
}
