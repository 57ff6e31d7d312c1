//! An agent without a sandbox, where a machine can make none.

use std::{fs, os::unix::fs::MetadataExt, time::Duration};

use runner::sandbox::{
    Enforcement, Isolation, LimitKind, SandboxEnd, SandboxPrograms, SessionPorts, choose_method, probe_isolation,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixListener},
    time::timeout,
};

use super::support::{Prepared, Session, processes_with, programs, wait_until_none};

const LASTING: &str = "(setsid sleep 1000 &); (trap '' TERM HUP INT; setsid sh -c 'while :; do sleep 1; done' &); \
                       (setsid setsid sh -c 'sleep 1000 & exit' &); echo up; sleep 1000";

async fn start(script: &str) -> Session {
    Prepared::new().run_as_process(script).await
}

#[tokio::test]
async fn a_process_is_offered_only_where_it_is_enough() {
    let none = SandboxPrograms { bubblewrap: None, ..programs() };
    let report = probe_isolation(&none).await;
    let refused = choose_method(report.clone(), Isolation::Sandbox).unwrap_err();
    assert_eq!(refused.code(), "SANDBOX_UNAVAILABLE");
    assert!(refused.to_string().contains("make setup") && refused.to_string().contains("--minimum-isolation process"));
    assert_eq!((report.limits.network, report.limits.temporary), (Enforcement::Unbounded, Enforcement::Unbounded));
    let method = choose_method(report, Isolation::Process).unwrap();
    assert_eq!(method.isolation(), Isolation::Process);
    let sandbox = choose_method(probe_isolation(&programs()).await, Isolation::Process).unwrap();
    assert_eq!(sandbox.isolation(), Isolation::Sandbox);
}

#[tokio::test]
async fn a_process_has_its_own_home_user_and_environment() {
    let script = "pwd; echo $HOME $TMPDIR; id -u; env | cut -d= -f1 | sort | tr '\\n' ' '; touch made $TMPDIR/made; \
                  grep NoNewPrivs /proc/self/status | cut -f2; read line; echo got $line >&2; exit 7";
    let mut session = start(script).await;
    session.sandbox.stdin.take().unwrap().write_all(b"hello\n").await.unwrap();
    let output = session.read_output().await;
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Exited { code: 7 }, "{}", session.errors().await);
    let lines: Vec<_> = output.lines().collect();
    let (work, home) = (session.work_tree().to_owned(), session.work_tree().with_file_name("home"));
    assert_eq!(lines[0], work.to_str().unwrap());
    assert_eq!(lines[1], format!("{} {}", home.display(), home.join("tmp").display()));
    assert_eq!(lines[2], fs::metadata(work.join("made")).unwrap().uid().to_string());
    assert!(!nix::unistd::geteuid().is_root() || lines[2] != "0");
    assert_eq!(lines[3], "GIVEN HOME LANG LOGNAME PATH PWD TMPDIR USER 1");
    assert!(home.join("tmp/made").exists());
    assert_eq!(session.errors().await, "got hello\n");
}

#[tokio::test]
async fn the_processes_of_a_stopped_dropped_or_ended_agent_are_gone() {
    let mut session = start(LASTING).await;
    session.read_line().await;
    assert!(session.remaining_processes() > 3);
    session.sandbox.stop();
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Stopped);
    assert_eq!(session.remaining_processes(), 0);

    let mut session = start(LASTING).await;
    session.read_line().await;
    let marker = session.marker();
    drop(session);
    wait_until_none(&marker).await;

    let mut session = start("(setsid sleep 1000 >/dev/null 2>&1 &); sleep 0.2; exit 3").await;
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Exited { code: 3 });
    assert_eq!(session.remaining_processes(), 0);
}

#[tokio::test]
async fn an_agent_that_ends_its_supervisor_leaves_no_process() {
    let mut session = start("(setsid sleep 1000 &); sleep 1; kill -9 $PPID; sleep 1000").await;
    let end = tokio::time::timeout(Duration::from_secs(30), session.sandbox.wait()).await.expect("an end");
    assert_eq!(end, SandboxEnd::Exited { code: 137 });
    assert_eq!(session.remaining_processes(), 0);
}

#[tokio::test]
async fn a_fork_bomb_without_a_sandbox_is_bounded_and_ends_whole() {
    let mut session = Prepared::new();
    session.spec.limits.processes = 60;
    let script = "exec bash -c 'bomb() { bomb | bomb & }; bomb; echo started; while :; do :; done' 2>/dev/null";
    let mut session = session.run_as_process(script).await;
    session.read_line().await;
    session.sandbox.stop();
    session.sandbox.wait().await;
    assert_eq!(session.remaining_processes(), 0);
}

#[tokio::test]
async fn memory_and_disk_without_a_sandbox_are_bounded_by_sampling() {
    let heap = "import time\nheld = []\nwhile True:\n    held.append(b'x' * 20_000_000); time.sleep(0.05)";
    let mut session = Prepared::new();
    session.spec.limits.memory_bytes = 200_000_000;
    fs::write(session.spec.work_tree.join("take.py"), heap).unwrap();
    let mut session = session.run_as_process("exec /usr/bin/python3 take.py").await;
    assert_eq!(limit_that_ended(&mut session).await, LimitKind::Memory);

    let mut session = Prepared::new();
    session.spec.limits.workspace_bytes = 20_000_000;
    let script = "for i in $(seq 1000); do head -c 1000000 /dev/zero > $TMPDIR/f$i; sleep 0.02; done";
    let mut session = session.run_as_process(script).await;
    assert_eq!(limit_that_ended(&mut session).await, LimitKind::Workspace);
}

async fn limit_that_ended(session: &mut Session) -> LimitKind {
    let end = tokio::time::timeout(Duration::from_mins(1), session.sandbox.wait()).await;
    assert_eq!(processes_with(&session.marker()), 0);
    match end.expect("nothing ended the agent") {
        SandboxEnd::LimitExceeded(exceeded) => exceeded.kind,
        other => panic!("{other:?} {}", session.errors().await),
    }
}

#[tokio::test]
async fn the_ports_of_a_session_serve_its_agent_and_no_other_user() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, egress) = (folder.path().join("gateway"), folder.path().join("egress"));
    let listener = UnixListener::bind(&gateway).unwrap();
    let none = SandboxPrograms { bubblewrap: None, ..programs() };
    let method = choose_method(probe_isolation(&none).await, Isolation::Process).unwrap();
    let ports = SessionPorts::open(&method, &gateway, &egress).await.unwrap();
    assert_ne!(ports.gateway, ports.egress);
    let session = Prepared::new();
    let script = format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; printf hello >&3; cat <&3'", ports.gateway);
    let answer = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut text = [0; 5];
        connection.read_exact(&mut text).await.unwrap();
        connection.write_all(&text).await.unwrap();
    };
    let work = async { session.run_with_process_method(&method, &script).await.read_output().await };
    // A connection that is refused leaves the answer waiting.
    let both = timeout(Duration::from_mins(1), async { tokio::join!(answer, work) });
    let ((), output) = both.await.expect("the agent's connection is forwarded");
    assert_eq!(output, "hello");
    if method.agent_user().is_some() {
        let mut foreign = TcpStream::connect(("127.0.0.1", ports.gateway)).await.unwrap();
        assert_eq!(foreign.read(&mut [0; 1]).await.unwrap_or(0), 0, "this process runs as another user");
    }
}
