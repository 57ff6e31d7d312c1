//! The command line of an agent without a sandbox.

use std::process::Stdio;

use tokio::process::Command;

use super::{
    environment::hide_environment,
    method::PlainProcess,
    spec::{AgentProgram, SandboxSpec},
};

/// The command that starts a program as a process of its own, with standard input, output and error piped.
///
/// Start it with [`spawn_from_lasting_thread`](super::spawn_from_lasting_thread): our own program ends the agent's
/// processes when the thread that started it has ended.
pub(super) fn make_process_command(process: &PlainProcess, spec: &SandboxSpec, program: &AgentProgram) -> Command {
    let mut command = Command::new(&process.runner_program);
    command.arg("inside").arg("--supervise").arg(std::process::id().to_string());
    command.arg("--directory").arg(spec.inner_work_tree());
    command.arg("--file-bytes").arg(spec.limits.workspace_bytes.to_string());
    if let Some(user) = process.user {
        command.arg("--user").arg(format!("{}:{}", user.uid, user.gid));
        // The kernel counts per user: as the runner's own user, the agent would share the limit with everything else.
        command.arg("--processes").arg(spec.limits.processes.to_string());
    }
    command.arg("--").arg(&program.program).args(&program.arguments);
    command.env_clear().envs(hide_environment(spec)).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}
