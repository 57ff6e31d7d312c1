//! From the claim of a task to the prompt that its agent gets: each program that is installed, one session at a time,
//! on a repository that has a mirror already.

use anyhow::Result;
use harness::child_process::root;
use runner::programs::{AgentProgram, ProgramLocations, built_in_programs};

use super::{
    forwarder,
    plane::{Plane, Session},
    process::{Runner, SCRIPTED, scripted_program},
};
use crate::{
    Effort,
    figure::{Figure, Samples, Target},
};

/// The programs, the names of their figures, and the milliseconds that they may take.
const PROGRAMS: [(&str, &str, Option<f64>); 4] = [
    (SCRIPTED, "runner, claim to prompt, scripted", None),
    ("opencode", "runner, claim to prompt, OpenCode", Some(3000.0)),
    ("claude", "runner, claim to prompt, Claude Code", Some(700.0)),
    ("codex", "runner, claim to prompt, Codex", Some(700.0)),
];

/// An agent that ends its turn at once, whatever it is.
const PROMPT: &str = r#"@@STUB [{"text": "done"}] @@"#;

pub(super) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let plane = Plane::new().await?;
    let mut programs = built_in_programs(&ProgramLocations::find_below(&root().join(".local").canonicalize()?));
    for program in &mut programs {
        put_forwarder_before(program)?;
    }
    programs.push(scripted_program()?);
    // A slot for each, so that no program waits for the claim of another.
    let runner = Runner::start(&plane, programs.len(), &programs).await?;
    let mut figures = Vec::new();
    for (name, figure, target) in PROGRAMS {
        let Some(program) = programs.iter().find(|one| one.name.trim_end_matches(TIMED) == name) else {
            figures.push(Figure::missing(figure, "ms", "it is not installed: `make setup-test`"));
            continue;
        };
        let samples = measure_program(&plane, &runner, &program.name, effort.processes).await?;
        let measured = Figure::of(figure, "ms", &samples).note("from the answer to the claim to `session/prompt`");
        figures.push(match target {
            Some(most) => measured.reaching(Target::Below(most)),
            None => measured,
        });
    }
    runner.stop().await?;
    Ok(figures)
}

const TIMED: &str = "-timed";

/// Another name, because those of built-in programs are taken.
fn put_forwarder_before(program: &mut AgentProgram) -> Result<()> {
    let own = std::env::current_exe()?;
    program.name.push_str(TIMED);
    let agent = std::mem::take(&mut program.command);
    program.command = [vec![own.display().to_string(), forwarder::MODE.to_owned()], agent].concat();
    program.read_only.push(own);
    Ok(())
}

async fn measure_program(plane: &Plane, runner: &Runner, program: &str, count: usize) -> Result<Samples> {
    let agent = plane.wait_for_agent(program).await?;
    let mut client = plane.client().await?;
    let folder = runner.session_folder(0);
    let session = Session { agent: &agent, folder: &folder, prompt: PROMPT };
    let mut samples = Samples::default();
    // The first makes the mirror and reads the program from disk.
    for at in 0..=count {
        let id = plane.start(&mut client, &session).await?;
        plane.wait_for_completion(&mut client, &id).await?;
        let time = plane.read_claim_to_prompt(&mut client, &id).await?;
        if at > 0 {
            samples.push(time);
        }
    }
    Ok(samples)
}
