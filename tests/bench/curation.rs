//! Curation: a dataset of a hundred thousand sessions, how many in a second and with how much memory.

use std::{fs, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::{Options, TestApp};
use shared::{
    kernel::id::TrainingJobId,
    training::datasets::{CurationOutcome, Dataset, Recipe},
};

use crate::{
    Effort,
    figure::{Figure, Samples, Target},
};

/// In the name of the figures too.
const SESSIONS: u64 = 100_000;
const QUICK: u64 = 2_000;

pub(crate) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let quick = effort.runs == 1;
    let sessions = if quick { QUICK } else { SESSIONS };
    let folder = std::env::temp_dir().join(format!("ioc-bench-{}", std::process::id()));
    let files = folder.display().to_string();
    let world = TestApp::idle(Options { files, ..Options::default() }).await;
    world.agree().await;
    seed(&world, sessions).await;
    let measured = curate(&world, sessions).await;
    fs::remove_dir_all(&folder)?;
    let (rate, mebibytes) = measured?;
    Ok(vec![
        Figure::rate("sessions curated", &[(rate, None)]).note(format!(
            "{sessions} sessions of some 2 KiB, read, redacted, compared, split and written to a folder"
        )),
        Figure::of("memory, curation", "MiB", &Samples::from_iter([mebibytes]))
            .reaching(Target::Below(200.0))
            .note("the most that this process had meanwhile, all of the bench included"),
    ])
}

/// Sessions of different words, each with a prompt, two answers and a tool; one in a hundred repeats another.
async fn seed(world: &TestApp, sessions: u64) {
    let template = world.caller(shared::identity::auth::Role::Member).new_session(serde_json::json!({})).await;
    let owner = world.superuser().await;
    owner.place(&template, "completed").await;
    owner.run("delete from session_checkpoints").await;
    let words = |seed: &str, count: u32| {
        format!("(select string_agg(substr(md5({seed} || ':' || w), 1, 7), ' ') from generate_series(1, {count}) w)")
    };
    let actor = r#"{"kind": "agent", "id": "a", "name": "agent"}"#;
    owner.multiply(&template, sessions).await;
    owner.run(&format!("delete from sessions where id = '{template}'")).await;
    owner
        .run(&format!(
            "create temp table numbered as select tenant_id, id, row_number() over (order by id) as n from sessions;
             update numbered set n = n - 1 where n % 100 = 0;
             insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload)
             select n.tenant_id, n.id, e.seq, gen_random_uuid(), e.type, '{actor}', now(), e.payload
             from numbered n cross join lateral (values
                 (2, 'session.message', jsonb_build_object('role', 'assistant', 'text', {first})),
                 (3, 'session.tool', jsonb_build_object('tool', 'bash', 'state', 'completed',
                     'input', jsonb_build_object('command', 'cargo test ' || n.n), 'output', {output})),
                 (4, 'session.message', jsonb_build_object('role', 'assistant', 'text', 'Done, tell ada@example.org. ' || {last}))
             ) e(seq, type, payload);
             drop table numbered; analyze sessions, session_events",
            first = words("n.n::text", 80),
            output = words("'out' || n.n", 100),
            last = words("'last' || n.n", 60),
        ))
        .await;
}

/// Sessions in a second, and the most memory in mebibytes.
async fn curate(world: &TestApp, sessions: u64) -> Result<(f64, f64)> {
    // From here on the system takes note of the most that we have.
    fs::write("/proc/self/clear_refs", "5").context("the peak of memory cannot be reset here")?;
    let began = Instant::now();
    let dataset = made(world).await?;
    let took = began.elapsed();
    let looked_at = dataset.tally.looked_at;
    ensure!(looked_at == sessions, "{looked_at} of {sessions} looked at");
    ensure!(dataset.samples() == sessions - sessions / 100, "{:?}", dataset.tally);
    ensure!(dataset.tally.redactions["email"] == dataset.samples(), "{:?}", dataset.tally);
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    Ok((sessions as f64 / took.as_secs_f64(), peak()?))
}

async fn made(world: &TestApp) -> Result<Dataset> {
    match world.curated(TrainingJobId::new(), &Recipe::default()).await {
        CurationOutcome::Made(dataset) => Ok(dataset),
        CurationOutcome::Refused(failure) => bail!("{failure:?}"),
    }
}

/// The most memory that this process had, in mebibytes.
fn peak() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak is told here")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kibibytes / 1024.0)
}
