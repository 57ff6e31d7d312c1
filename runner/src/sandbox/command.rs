//! The command line of bubblewrap for one sandbox.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::{
    environment::hide_environment,
    error::SandboxError,
    method::{Bubblewrap, IdentityMethod},
    spec::{
        AgentProgram, INNER_BUBBLEWRAP, INNER_EGRESS_SOCKET, INNER_LIBRARIES, INNER_RUNNER, INNER_SOCKET, SandboxSpec,
    },
    system_files::{BASE_FOLDERS, system_arguments, to_arguments, write_made_up_files},
    user::AgentUser,
};

/// The command that starts a program in a sandbox, with standard input, output and error piped.
///
/// It writes the made-up files of `/etc` into the runtime folder. Start it with
/// [`spawn_from_lasting_thread`](super::spawn_from_lasting_thread): a sandbox ends with the thread that started it.
pub fn sandboxed_command(
    bubblewrap: &Bubblewrap,
    spec: &SandboxSpec,
    program: &AgentProgram,
) -> Result<Command, SandboxError> {
    let made_up = write_made_up_files(&spec.runtime_folder, bubblewrap.method.inner_user(), spec.inner_home())?;
    let mut command = Command::new(&bubblewrap.program);
    command.args(namespace_arguments(&bubblewrap.method));
    command.args(system_arguments()).args(made_up);
    command.args(memory_file_systems(spec.limits.temporary_bytes));
    command.args(session_mounts(bubblewrap, spec));
    command.arg("--").args(inner_program(bubblewrap, spec, program));
    command.env_clear().envs(hide_environment(spec));
    command.current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

fn namespace_arguments(method: &IdentityMethod) -> Vec<OsString> {
    let common = ["--die-with-parent", "--new-session", "--hostname", "sandbox"];
    let own = match method {
        IdentityMethod::UserNamespace { nested: true } => &["--unshare-all", "--unshare-user"][..],
        IdentityMethod::UserNamespace { nested: false } => &["--unshare-all", "--unshare-user", "--disable-userns"],
        IdentityMethod::OtherUser { .. } => &[
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--cap-drop",
            "ALL",
            "--cap-add",
            "CAP_SETUID",
            "--cap-add",
            "CAP_SETGID",
        ],
    };
    [to_arguments(&common), to_arguments(own)].concat()
}

/// Every file system in memory has a size: its files belong to no process, so no process limit bounds them.
fn memory_file_systems(bytes: u64) -> Vec<OsString> {
    let bytes = bytes.to_string();
    let sized = |path: &str| to_arguments(&["--size", &bytes, "--perms", "1777", "--tmpfs", path]);
    [
        to_arguments(&["--proc", "/proc", "--dev", "/dev"]),
        sized("/dev/shm"),
        to_arguments(&["--remount-ro", "/dev"]),
        sized("/tmp"),
        // No link to `/tmp`: read-only folders may lie below it on the machine, and are mounted at the same path.
        to_arguments(&["--dir", "/var"]),
        sized("/var/tmp"),
    ]
    .concat()
}

fn session_mounts(bubblewrap: &Bubblewrap, spec: &SandboxSpec) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for path in &spec.read_only {
        mount(&mut arguments, "--ro-bind", path, path);
    }
    mount(&mut arguments, "--ro-bind", &bubblewrap.runner_program, INNER_RUNNER);
    mount(&mut arguments, "--ro-bind", &spec.gateway_socket, INNER_SOCKET);
    if let Some(egress) = &spec.egress {
        mount(&mut arguments, "--ro-bind", &egress.socket, INNER_EGRESS_SOCKET);
    }
    if let IdentityMethod::OtherUser { is_confined: true, .. } = bubblewrap.method {
        mount(&mut arguments, "--ro-bind", &bubblewrap.program, INNER_BUBBLEWRAP);
        if let Some(libraries) = find_libraries(&bubblewrap.program) {
            mount(&mut arguments, "--ro-bind", &libraries, INNER_LIBRARIES);
        }
    }
    mount(&mut arguments, "--bind", &spec.home, spec.inner_home());
    mount(&mut arguments, "--bind", &spec.work_tree, spec.inner_work_tree());
    // The root is a file system in memory without a size: nothing may be written into it. The work tree may be private
    // to the agent's user, so only our first program changes into it.
    arguments.extend(to_arguments(&["--remount-ro", "/", "--chdir", "/"]));
    arguments
}

/// The folders above are stated, because bubblewrap may make them private to its own user.
fn mount(arguments: &mut Vec<OsString>, option: &str, from: &Path, to: impl AsRef<Path>) {
    let to = to.as_ref();
    // A folder of the system may be a link there, which is no folder to bubblewrap.
    let is_stated =
        |folder: &&Path| folder.parent().is_some() && !BASE_FOLDERS.iter().any(|one| *folder == Path::new(one));
    let mut above: Vec<_> = to.ancestors().skip(1).filter(is_stated).collect();
    above.reverse();
    for folder in above {
        arguments.extend(["--dir".into(), folder.as_os_str().to_owned()]);
    }
    arguments.extend([option.into(), from.as_os_str().to_owned(), to.as_os_str().to_owned()]);
}

/// The libraries that the package of bubblewrap brings, if it is not the machine's own.
fn find_libraries(program: &Path) -> Option<PathBuf> {
    let libraries = program.ancestors().nth(3)?.join(Path::new(INNER_LIBRARIES).file_name().map(OsStr::to_owned)?);
    libraries.is_dir().then_some(libraries)
}

fn inner_program(bubblewrap: &Bubblewrap, spec: &SandboxSpec, program: &AgentProgram) -> Vec<OsString> {
    let forward = format!("{}={INNER_SOCKET}", spec.gateway_port);
    let mut arguments = to_arguments(&[INNER_RUNNER, "inside", "--forward", &forward, "--directory"]);
    arguments.push(spec.inner_work_tree().as_os_str().to_owned());
    if let Some(egress) = &spec.egress {
        arguments.extend(to_arguments(&["--forward", &format!("{}={INNER_EGRESS_SOCKET}", egress.port)]));
    }
    if let IdentityMethod::OtherUser { user: AgentUser { uid, gid }, is_confined } = bubblewrap.method {
        arguments.extend(to_arguments(&["--user", &format!("{uid}:{gid}")]));
        if is_confined {
            arguments.extend(to_arguments(&["--confine", INNER_BUBBLEWRAP]));
        }
    }
    let (processes, bytes) = (spec.limits.processes.to_string(), spec.limits.workspace_bytes.to_string());
    arguments.extend(to_arguments(&["--processes", &processes, "--file-bytes", &bytes, "--"]));
    arguments.push(program.program.clone().into_os_string());
    arguments.extend(program.arguments.iter().cloned());
    arguments
}
