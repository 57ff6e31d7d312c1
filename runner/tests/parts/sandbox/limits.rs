//! The limits of a sandbox and its end, with a real bubblewrap.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::support::{Prepared, Session, processes_with, wait_until_none};
use runner::sandbox::{ExceededLimit, LimitKind, SandboxEnd};

const MEGABYTE: u64 = 1024 * 1024;

async fn limit_that_ended(session: &mut Session) -> ExceededLimit {
    let end = tokio::time::timeout(Duration::from_secs(30), session.sandbox.wait()).await;
    match end.expect("nothing ended the agent") {
        SandboxEnd::LimitExceeded(exceeded) => exceeded,
        other => panic!("{other:?} {}", session.errors().await),
    }
}

#[tokio::test]
async fn a_fork_bomb_is_bounded_by_the_kernel_and_stops_at_once() {
    let mut session = Prepared::new();
    session.spec.limits.processes = 60;
    let bomb = "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.1)";
    fs::write(session.spec.work_tree.join("bomb.py"), bomb).unwrap();
    let mut session = session.run("exec /usr/bin/python3 bomb.py").await;
    let (mut usage, mut most) = (session.sandbox.usage_updates(), 0);
    for _ in 0..3 {
        let _ = usage.changed().await;
        most = most.max(usage.borrow().threads);
    }
    assert!((10..=70).contains(&most), "{most}");
    let started = Instant::now();
    session.sandbox.stop();
    let end = session.sandbox.wait().await;
    assert!(matches!(end, SandboxEnd::Stopped | SandboxEnd::LimitExceeded(_)), "{end:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(session.remaining_processes(), 0);
}

#[tokio::test]
async fn an_agent_that_fills_the_disk_is_ended_by_the_limit_of_its_workspace() {
    let many = "for i in $(seq 10000); do head -c 1000000 /dev/zero > $HOME/f$i || exit 1; sleep 0.02; done";
    let deleted = "i=10; while :; do eval \"exec $i>gone\"; rm gone; head -c 4000000 /dev/zero >&$i; \
                   i=$((i+1)); sleep 0.1; done";
    for script in [many, deleted] {
        let mut session = Prepared::new();
        session.spec.limits.workspace_bytes = 20 * MEGABYTE;
        let mut session = session.run(&format!("bash -c '{script}'")).await;
        let exceeded = limit_that_ended(&mut session).await;
        assert_eq!((exceeded.kind, exceeded.allowed), (LimitKind::Workspace, 20 * MEGABYTE), "{script}");
        assert!(exceeded.observed < 200 * MEGABYTE, "{exceeded:?}");
        assert_eq!(session.remaining_processes(), 0);
    }
}

#[tokio::test]
async fn a_single_file_and_the_memory_file_systems_are_limited_by_the_kernel() {
    let mut session = Prepared::new();
    session.spec.limits.workspace_bytes = 1_000_000;
    session.spec.limits.temporary_bytes = 1_000_000;
    let script = "for path in /work /tmp /var/tmp /dev/shm; do (head -c 9000000 /dev/zero > $path/big) 2>/dev/null; \
                  stat -c %s $path/big; rm $path/big; done";
    let output = session.run(script).await.read_output().await;
    let sizes: Vec<u64> = output.lines().map(|line| line.parse().unwrap()).collect();
    assert!(sizes.len() == 4 && sizes.iter().all(|size| (900_000..=1_004_096).contains(size)), "{sizes:?}");
}

#[tokio::test]
async fn an_agent_that_takes_too_much_memory_is_ended() {
    let heap = "import time\nheld = []\nwhile True:\n    held.append(b'x' * 20_000_000); time.sleep(0.05)";
    let nameless = "import os, time\nfile = os.memfd_create('x')\nwhile True:\n    os.write(file, b'x' * 20_000_000); time.sleep(0.05)";
    for program in [heap, nameless] {
        let mut session = Prepared::new();
        session.spec.limits.memory_bytes = 200_000_000;
        fs::write(session.spec.work_tree.join("take.py"), program).unwrap();
        let mut session = session.run("exec /usr/bin/python3 take.py").await;
        let exceeded = limit_that_ended(&mut session).await;
        assert_eq!((exceeded.kind, exceeded.allowed), (LimitKind::Memory, 200_000_000), "{program}");
    }
}

#[tokio::test]
async fn a_flood_of_standard_error_is_read_and_mostly_discarded() {
    let mut session = Session::start("yes 0123456789abcdef | head -c 300000000 >&2; echo; printf end >&2").await;
    let output = session.read_output().await;
    let end = session.sandbox.wait().await;
    let errors = session.sandbox.error_output();
    assert_eq!((output.as_str(), end), ("\n", SandboxEnd::Exited { code: 0 }), "{errors:?}");
    assert!(errors.tail.ends_with(b"end"), "{}", String::from_utf8_lossy(&errors.tail[65_000..]));
    assert_eq!(errors.omitted_bytes + errors.tail.len() as u64, 300_000_003);
    assert_eq!(errors.tail.len(), 64 * 1024);
}

const LASTING: &str = "(setsid sleep 1000 &); (trap '' TERM HUP INT; setsid sh -c 'while :; do sleep 1; done' &); \
                       echo up; sleep 1000";

#[tokio::test]
async fn a_stopped_or_dropped_sandbox_leaves_no_process() {
    let mut session = Session::start(LASTING).await;
    session.read_line().await;
    assert!(session.remaining_processes() > 3);
    session.sandbox.stop();
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Stopped);
    assert_eq!(session.remaining_processes(), 0);

    let mut session = Session::start(LASTING).await;
    session.read_line().await;
    let marker = session.marker();
    drop(session);
    wait_until_none(&marker).await;
}

#[tokio::test]
async fn an_agent_that_exits_leaves_no_process_in_the_background() {
    let mut session = Session::start("(setsid sleep 1000 >/dev/null 2>&1 &); sleep 0.2").await;
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Exited { code: 0 });
    assert_eq!(session.remaining_processes(), 0);
}

#[tokio::test]
#[ignore = "not a test: the process that the next test kills"]
async fn the_killed_process_runs_an_agent_and_prints_its_marker() {
    let mut session = Session::start(LASTING).await;
    session.read_line().await;
    fs::write(std::env::args().next_back().unwrap(), session.marker()).unwrap();
    session.sandbox.wait().await;
}

#[tokio::test]
async fn a_runner_that_is_killed_leaves_no_process_of_its_agents() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("marker");
    let mut parent: Child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "sandbox::limits::the_killed_process_runs_an_agent_and_prints_its_marker",
            "--skip",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let marker = loop {
        let written = fs::read_to_string(&file).unwrap_or_default();
        if !written.is_empty() {
            break written;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "the agent did not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(processes_with(&marker) >= 4);
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until_none(&marker).await;
}
