//! An agent that works against its sandbox: each attempt is refused or bounded, and nothing is left of it.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use runner::sandbox::{LimitKind, SandboxEnd, reclaim_work_tree};

use super::support::{Prepared, Session, processes_with};

const SECRET: &str = "sk-provider-key-of-the-runner";
const MEBIBYTE: u64 = 1024 * 1024;

/// The mounts of the machine.
fn count_mounts() -> usize {
    fs::read_to_string("/proc/self/mountinfo").expect("the mounts").lines().count()
}

/// Ends the session, and checks that no process, no mount and no folder is left of it.
async fn assert_nothing_left(mut session: Session, mounts: usize) {
    session.sandbox.stop();
    session.sandbox.wait().await;
    assert_eq!(session.remaining_processes(), 0);
    let folder = session.work_tree().parent().expect("a folder").to_owned();
    assert_eq!(count_mounts(), mounts);
    drop(session);
    assert!(!folder.exists(), "{}", folder.display());
}

#[tokio::test]
async fn an_agent_finds_no_key_in_any_environment_file_or_process() {
    // A process of the machine with the key in its environment and its arguments, as a careless runner would be.
    let mut careless =
        Command::new("sleep").arg("1000").env("PROVIDER_KEY", SECRET).stdin(Stdio::null()).spawn().unwrap();
    let pid = careless.id();
    let mounts = count_mounts();
    // Written so that the script does not find itself.
    let pattern = SECRET.replacen('s', "[s]", 1);
    let script = format!(
        "cat /proc/*/environ /proc/*/cmdline /proc/{pid}/* 2>/dev/null | grep -ac {pattern}; \
         grep -rac {pattern} /work /home /run /tmp /etc /dev/shm 2>/dev/null | grep -v ':0$'; ls -d /proc/{pid} 2>/dev/null; \
         ls -A ~/.ssh /root/.ssh /root /home 2>/dev/null; kill -9 {pid} 2>/dev/null && echo killed; \
         cat /proc/1/root/etc/shadow /proc/self/root/etc/shadow 2>/dev/null; true"
    );
    let mut session = Session::start(&script).await;
    let output = session.read_output().await;
    let is_running = careless.try_wait().unwrap().is_none();
    careless.kill().unwrap();
    careless.wait().unwrap();
    assert_eq!((output.as_str(), is_running), ("0\n/home:\nagent\n", true));
    assert_nothing_left(session, mounts).await;
}

#[tokio::test]
async fn an_agent_cannot_reach_out_of_its_folder_by_a_link() {
    let other = Prepared::new();
    fs::write(other.spec.work_tree.join("secret"), "of another session").unwrap();
    let mounts = count_mounts();
    let target = other.spec.work_tree.display();
    let script = format!(
        "ln -s {target} out; ln -s /etc/shadow shadow; ln -s ../../../../../../../../.. up; cat out/secret shadow 2>/dev/null; \
         echo changed > out/secret; ls up{target} 2>/dev/null; mkdir -p deep; ln -s /proc/1/root deep/root; \
         cat deep/root{target}/secret 2>/dev/null; true"
    );
    let mut session = Session::start(&script).await;
    assert_eq!(session.read_output().await, "");
    session.sandbox.wait().await;
    // The runner does not follow the links either.
    reclaim_work_tree(session.work_tree()).unwrap();
    let shadow = Path::new("/etc/shadow");
    assert_eq!(fs::metadata(shadow).unwrap().uid(), 0);
    assert_eq!(fs::read_to_string(other.spec.work_tree.join("secret")).unwrap(), "of another session");
    assert_nothing_left(session, mounts).await;
}

#[tokio::test]
async fn a_fork_bomb_leaves_other_sessions_their_processes_and_ends_whole() {
    let mounts = count_mounts();
    let (mut bomb, mut other) = (Prepared::new(), Prepared::new());
    bomb.spec.limits.processes = 60;
    other.spec.limits.processes = 60;
    let bomb = bomb.run("exec bash -c 'bomb() { bomb | bomb & }; bomb; echo started; while :; do :; done' 2>/dev/null");
    let mut bomb = bomb.await;
    bomb.read_line().await;
    // As another user, or in another user namespace: the bomb takes nothing of its limit.
    let script = "for i in $(seq 20); do sleep 5 & done; jobs -p | wc -l; kill $(jobs -p)";
    let mut other = other.run(&format!("bash -c '{script}'")).await;
    assert_eq!(other.read_output().await.trim(), "20");
    assert_nothing_left(bomb, mounts).await;
    assert_nothing_left(other, mounts).await;
}

#[tokio::test]
async fn a_disk_filler_is_ended_and_its_files_go_with_its_session() {
    let mounts = count_mounts();
    let mut session = Prepared::new();
    session.spec.limits.workspace_bytes = 30 * MEBIBYTE;
    let script = "for i in $(seq 10000); do head -c 10000000 /dev/zero > f$i || exit 1; done";
    let mut session = session.run(script).await;
    let end = tokio::time::timeout(Duration::from_mins(1), session.sandbox.wait()).await.expect("an end");
    match end {
        SandboxEnd::LimitExceeded(exceeded) => assert_eq!(exceeded.kind, LimitKind::Workspace),
        other => panic!("{other:?}"),
    }
    assert_nothing_left(session, mounts).await;
}

#[tokio::test]
async fn a_gigabyte_of_standard_error_and_a_million_lines_are_read_and_bounded() {
    let mounts = count_mounts();
    let script = "yes 0123456789abcdef | head -c 1000000000 >&2; yes line | head -n 1000000";
    let mut session = Session::start(script).await;
    let output = session.read_output().await;
    assert_eq!(output.lines().count(), 1_000_000);
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Exited { code: 0 });
    let errors = session.sandbox.error_output();
    assert_eq!((errors.tail.len() as u64, errors.omitted_bytes), (64 * 1024, 1_000_000_000 - 64 * 1024));
    assert_nothing_left(session, mounts).await;
}

#[tokio::test]
async fn an_agent_can_end_its_own_parents_and_nothing_else() {
    let mounts = count_mounts();
    let script = "trap '' TERM; kill -9 -1; kill -9 $PPID; kill -9 1; sleep 60";
    let mut session = Session::start(script).await;
    let end = tokio::time::timeout(Duration::from_secs(30), session.sandbox.wait()).await.expect("an end");
    assert!(matches!(end, SandboxEnd::Exited { code } if code != 0), "{end:?}");
    assert_eq!(processes_with(&session.marker()), 0);
    assert_nothing_left(session, mounts).await;
}

#[tokio::test]
async fn programs_that_change_their_user_and_namespaces_of_its_own_give_no_rights() {
    let mounts = count_mounts();
    let script = "cp /usr/bin/id mine; chmod 6755 mine; ./mine -u; grep NoNewPrivs /proc/self/status | cut -f2; \
                  for flags in -U -m -n -p -Urmnpf; do unshare $flags true 2>/dev/null && echo $flags; done; \
                  mount -t tmpfs none /tmp 2>/dev/null && echo mounted; mknod disk b 254 0 2>/dev/null && echo device; \
                  chroot / true 2>/dev/null && echo root; dmesg 2>/dev/null | head -1; \
                  grep -E '^(CapEff|CapBnd|Seccomp):' /proc/self/status | cut -f2";
    let mut session = Session::start(script).await;
    let output = session.read_output().await;
    let lines: Vec<_> = output.lines().collect();
    let none = "0000000000000000";
    assert_eq!(lines[1..], ["1", none, none, "2"], "{output}");
    assert_ne!(lines[0], "0");
    session.sandbox.wait().await;
    let mode = fs::metadata(session.work_tree().join("mine")).unwrap().permissions().mode();
    reclaim_work_tree(session.work_tree()).unwrap();
    let after = fs::metadata(session.work_tree().join("mine")).unwrap().permissions().mode();
    assert_eq!((mode & 0o6000 != 0, after & 0o6000), (true, 0));
    assert_nothing_left(session, mounts).await;
}

#[tokio::test]
async fn calls_that_lead_out_of_namespaces_are_refused() {
    let script = "/usr/bin/python3 - <<'END'\n\
        import ctypes, errno, platform\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        numbers = {'x86_64': dict(keyctl=250, bpf=321, io_uring=425, clone3=435, perf=298, faults=323),\n\
        \x20          'aarch64': dict(keyctl=219, bpf=280, io_uring=425, clone3=435, perf=241, faults=282)}\n\
        for name, number in numbers[platform.machine()].items():\n\
        \x20   result = libc.syscall(number, 0, 0, 0, 0, 0)\n\
        \x20   print(name, result, errno.errorcode[ctypes.get_errno()])\n\
        END";
    let output = Session::start(script).await.read_output().await;
    let expected = ["keyctl -1 EPERM", "bpf -1 EPERM", "io_uring -1 EPERM", "clone3 -1 ENOSYS", "perf -1 EPERM"];
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[..5], expected, "{output}");
    assert_eq!(lines[5], "faults -1 EPERM", "{output}");
}

#[tokio::test]
async fn escape_codes_arrive_as_bytes_and_move_no_terminal_of_the_runner() {
    let mounts = count_mounts();
    let script = "printf '\\033[2J\\033]0;title\\007\\033[31mred\\n'; printf '\\033cclear' >&2; tty; ls /dev/tty 2>&1 >/dev/null; \
                  (echo x > /dev/tty) 2>/dev/null && echo terminal; true";
    let mut session = Session::start(script).await;
    let output = session.read_output().await;
    assert!(output.starts_with("\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[31mred\nnot a tty\n"), "{output:?}");
    assert!(!output.contains("terminal"), "{output:?}");
    assert!(session.errors().await.starts_with("\u{1b}cclear"));
    assert_nothing_left(session, mounts).await;
}
