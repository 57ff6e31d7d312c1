//! `ioc-runner doctor`: what this machine can isolate.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{
    sandbox::{AgentUser, Enforcement, LimitReport, SandboxPrograms, probe_isolation},
    service::find_bubblewrap,
};

/// What to look for.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorSettings {
    /// Where the programs were installed
    #[arg(long, env = "RUNNER_INSTALLED", default_value = ".local")]
    installed: PathBuf,
    /// The program bwrap
    #[arg(long, env = "RUNNER_BUBBLEWRAP")]
    bubblewrap: Option<PathBuf>,
}

/// Prints the isolation that was found by trying, and the reason why it is not more.
pub async fn report(settings: &DoctorSettings) -> Result<()> {
    let runner = std::env::current_exe().context("the program of the runner cannot be found")?;
    let bubblewrap = settings.bubblewrap.clone().or_else(|| find_bubblewrap(&settings.installed));
    let report = probe_isolation(&SandboxPrograms { bubblewrap, runner, agent_user: AgentUser::default() }).await;
    let LimitReport { memory, processes, workspace, temporary, cpu, network } = report.limits;
    let limits = [memory, processes, workspace, temporary, cpu, network].map(Enforcement::name);
    let [memory, processes, workspace, temporary, cpu, network] = limits;
    let text = serde_json::json!({
        "isolation": report.isolation.name(),
        "reason": report.reason,
        "limits": {
            "memory": memory, "processes": processes, "workspace": workspace, "temporary": temporary, "cpu": cpu,
            "network": network,
        },
    });
    std::io::Write::write_all(&mut std::io::stdout(), format!("{text:#}\n").as_bytes())?;
    Ok(())
}
