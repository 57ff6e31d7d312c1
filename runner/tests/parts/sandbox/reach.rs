//! The sandbox with a real bubblewrap: what an agent in it can reach, and what it leaves behind.

use std::{
    fs,
    net::TcpListener as StdListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use super::support::{Prepared, Session, programs};
use runner::sandbox::{
    AgentUser, Enforcement, Isolation, SandboxEnd, SandboxPrograms, grant_work_tree, probe_isolation, reclaim_work_tree,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_machine_with_bubblewrap_reports_a_sandbox_and_who_enforces_its_limits() {
    let report = probe_isolation(&programs()).await;
    assert_eq!((report.isolation, report.reason), (Isolation::Sandbox, None));
    assert_eq!(report.limits.processes, Enforcement::Kernel);
    assert_eq!((report.limits.temporary, report.limits.network), (Enforcement::Kernel, Enforcement::Kernel));
    assert_eq!((report.limits.memory, report.limits.cpu), (Enforcement::Sampled, Enforcement::Unbounded));
}

#[tokio::test]
async fn a_machine_without_a_working_bubblewrap_reports_the_reason_with_the_remedy() {
    let none = SandboxPrograms { bubblewrap: None, ..programs() };
    let report = probe_isolation(&none).await;
    assert_eq!(report.isolation, Isolation::Process);
    assert!(report.reason.unwrap().ends_with("run `make setup`."));

    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("bwrap");
    fs::write(&broken, "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let report = probe_isolation(&SandboxPrograms { bubblewrap: Some(broken), ..none }).await;
    let reason = report.reason.unwrap();
    assert!(report.isolation == Isolation::Process && reason.contains("No permissions"), "{reason}");
}

#[tokio::test]
async fn an_agent_reads_its_input_writes_its_output_and_ends_with_its_code() {
    let mut session = Session::start("read line; echo \"got $line\"; echo oops >&2; exit 7").await;
    session.sandbox.stdin.take().unwrap().write_all(b"hello\n").await.unwrap();
    assert_eq!(session.read_output().await, "got hello\n");
    assert_eq!(session.sandbox.wait().await, SandboxEnd::Exited { code: 7 });
    assert_eq!(session.errors().await, "oops\n");
}

#[tokio::test]
async fn an_agent_has_no_uid_0_and_no_capability_inside_or_outside() {
    let script = "id -u; id -g; grep -E '^Cap|^NoNewPrivs' /proc/self/status; unshare -Ur true 2>/dev/null || \
                  echo none; touch made";
    let mut session = Session::start(script).await;
    let output = session.read_output().await;
    session.sandbox.wait().await;
    let lines: Vec<_> = output.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert!(lines[0] != "0" && lines[1] != "0", "{output}");
    let none = "0000000000000000";
    assert_eq!(lines[2..], [none, none, none, none, none, "1", "none"], "{output}");
    let made = fs::metadata(session.work_tree().join("made")).unwrap();
    assert!(made.uid() != 0 && made.gid() != 0);
    assert_eq!(made.uid().to_string(), lines[0]);
}

#[tokio::test]
async fn an_agent_cannot_read_the_files_of_the_machine_or_of_other_sessions() {
    let other = Prepared::new();
    fs::write(other.spec.work_tree.join("secret"), "of another session").unwrap();
    let home = std::env::home_dir().unwrap();
    let paths = [
        other.spec.work_tree.join("secret"),
        other.folder().to_path_buf(),
        home.join(".ssh"),
        home.join(".cargo"),
        "/etc/shadow".into(),
        "/etc/hostname".into(),
        "/root".into(),
        "/sys".into(),
        "/var/lib".into(),
        "/tmp".into(),
        std::env::current_dir().unwrap(),
    ];
    let list = paths.map(|path| path.display().to_string()).join(" ");
    let script = format!("for path in {list}; do ls -A $path 2>/dev/null; cat $path 2>/dev/null; done; true");
    assert_eq!(Session::start(&script).await.read_output().await, "");
    let output = Session::start("cat /etc/passwd; ls -A /home").await.read_output().await;
    assert!(output.lines().count() == 2 && output.starts_with("agent:x:"), "{output}");
}

#[tokio::test]
async fn an_agent_sees_no_process_and_no_environment_of_the_machine() {
    let script = "ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | sort -u";
    let output = Session::start(script).await.read_output().await;
    let mut lines = output.lines();
    let processes: u32 = lines.next().unwrap().trim().parse().unwrap();
    assert!(processes <= 8, "{output}");
    let names: Vec<_> = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let known = ["HOME", "USER", "LOGNAME", "PATH", "LANG", "TMPDIR", "PWD", "OLDPWD", "_", "SHLVL", "GIVEN"];
    let own = |name: &&str| known.contains(&name.strip_prefix("IOC_AGENT_ENVIRONMENT_").unwrap_or(name));
    assert!(names.contains(&"GIVEN") && names.iter().all(own), "{names:?}");
}

#[tokio::test]
async fn an_agent_can_read_everything_that_the_sandbox_shows_of_the_system() {
    let shown = ["/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/nsswitch.conf", "/etc/ld.so.cache", "/etc/localtime"];
    let expected: Vec<_> = shown.into_iter().filter(|path| Path::new(path).exists()).collect();
    let script = format!("find /etc /run /home ! -readable; ls -d {}", expected.join(" "));
    let output = Session::start(&script).await.read_output().await;
    let mut listed: Vec<_> = output.lines().collect();
    listed.sort_unstable();
    let mut expected = expected;
    expected.sort_unstable();
    assert!(!expected.is_empty());
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_variable_for_the_dynamic_linker_reaches_only_the_agent() {
    let mut session = Prepared::new();
    session.spec.environment.push(("LD_PRELOAD".into(), "/work/preloaded.so".into()));
    let mut session = session.run("true").await;
    let errors = session.errors().await;
    let complaints = errors.lines().filter(|line| line.contains("/work/preloaded.so")).count();
    assert_eq!(complaints, 1, "the linker of /bin/sh alone complains: {errors}");
}

#[tokio::test]
async fn an_agent_reaches_no_network_and_no_port_of_the_machine() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let own = format!("127.0.0.1/{}", listener.local_addr().unwrap().port());
    let targets = [&own, "169.254.169.254/80", "1.1.1.1/443", "10.0.0.1/80"];
    let tries = targets.map(|target| format!("(exec 3<>/dev/tcp/{target}) 2>/dev/null && echo reached {target}"));
    let script = format!("bash -c '{}'; getent hosts example.com; grep -c : /proc/net/dev; true", tries.join("; "));
    assert_eq!(Session::start(&script).await.read_output().await, "1\n", "only the loopback of its own exists");
}

#[tokio::test]
async fn an_agent_reaches_the_gateway_through_its_own_loopback() {
    let mut session = Prepared::new();
    let gateway = session.listen();
    let answer = async {
        for _ in 0..2 {
            let (mut connection, _) = gateway.accept().await.unwrap();
            let mut request = [0; 5];
            connection.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"hello");
            connection.write_all(b"from outside\n").await.unwrap();
        }
    };
    let ask = "exec 3<>/dev/tcp/127.0.0.1/8080; printf hello >&3; cat <&3; exec 3<&-";
    let work = async {
        let mut session = session.run(&format!("bash -c '{ask}; {ask}'")).await;
        (session.read_output().await, session.sandbox.wait().await)
    };
    let both = async { tokio::join!(answer, work) };
    let both = tokio::time::timeout(std::time::Duration::from_secs(20), both).await;
    let ((), (output, end)) = both.expect("the gateway was not reached");
    assert_eq!((output.as_str(), end), ("from outside\nfrom outside\n", SandboxEnd::Exited { code: 0 }));
}

#[tokio::test]
async fn an_agent_writes_only_into_its_work_tree_its_home_and_memory() {
    let folders = "/ /usr /etc /dev /run /run/ioc /home /proc/sys/kernel /work /home/agent /tmp /dev/shm /var/tmp";
    let script = format!(
        "for path in {folders}; do touch $path/made 2>/dev/null && echo $path; done; \
         (echo x >/run/ioc/ioc-runner) 2>/dev/null && echo program; true"
    );
    let output = Session::start(&script).await.read_output().await;
    assert_eq!(output, "/work\n/home/agent\n/tmp\n/dev/shm\n/var/tmp\n");
}

#[tokio::test]
async fn a_read_only_folder_is_seen_at_its_own_path_and_cannot_be_changed() {
    let mut session = Prepared::new();
    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(shared.path().join("object"), "borrowed\n").unwrap();
    session.spec.read_only.push(shared.path().to_path_buf());
    let path = shared.path().display();
    let script = format!("cat {path}/object; touch {path}/made 2>/dev/null && echo changed; true");
    assert_eq!(session.run(&script).await.read_output().await, "borrowed\n");
}

#[tokio::test]
async fn a_read_only_folder_in_a_private_one_is_seen_and_is_not_hidden_by_the_work_tree() {
    let mut session = Prepared::new();
    let shared = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap();
    let folder = shared.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("object"), "borrowed\n").unwrap();
    session.spec.read_only = vec![folder.clone()];
    assert_eq!(session.spec.inner_work_tree(), Path::new("/work"));
    let output = session.run(&format!("cat {}/object", folder.display())).await.read_output().await;
    assert_eq!(output, "borrowed\n");

    let mut session = Prepared::new();
    session.spec.read_only = vec!["/work/tools".into(), "/home/agent/tools".into()];
    assert_eq!(session.spec.inner_work_tree(), Path::new("/workspace"));
    assert_eq!(session.spec.inner_home(), Path::new("/ioc/home"));
    session.spec.read_only = vec!["/workshop".into()];
    assert_eq!(session.spec.inner_work_tree(), Path::new("/work"));
}

#[tokio::test]
async fn folders_below_the_temporary_folders_of_the_machine_are_seen_in_a_sandbox() {
    for parent in ["/tmp", "/var/tmp"] {
        let mut session = Prepared::below(programs(), Path::new(parent));
        let objects = session.folder().join("mirrors/a/objects");
        fs::create_dir_all(&objects).unwrap();
        fs::write(objects.join("object"), "borrowed\n").unwrap();
        session.spec.read_only = vec![objects.clone()];
        let path = objects.display();
        let script =
            format!("cat {path}/object; touch {path}/made 2>/dev/null && echo changed; touch {parent}/own made");
        let mut session = session.run(&script).await;
        let output = session.read_output().await;
        assert_eq!((output.as_str(), session.errors().await.as_str()), ("borrowed\n", ""), "{parent}");
        assert!(session.work_tree().join("made").exists() && !Path::new(parent).join("own").exists());
    }
}

#[tokio::test]
async fn a_reclaimed_work_tree_is_owned_by_the_runner_without_programs_of_the_agent() {
    let script = "umask 077; mkdir -p a/b; echo text > a/b/c; ln -s /etc/shadow link; cp /usr/bin/true s; chmod 4755 s";
    let mut session = Session::start(script).await;
    session.sandbox.wait().await;
    reclaim_work_tree(session.work_tree()).unwrap();
    let own = nix::unistd::geteuid().as_raw();
    for name in ["", "a", "a/b", "a/b/c", "link", "s"] {
        let metadata = fs::symlink_metadata(session.work_tree().join(name)).unwrap();
        assert_eq!(metadata.uid(), own, "{name}");
    }
    assert_eq!(fs::read_to_string(session.work_tree().join("a/b/c")).unwrap(), "text\n");
    assert_eq!(fs::metadata(session.work_tree().join("s")).unwrap().mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn a_work_tree_with_a_file_that_is_linked_from_elsewhere_is_not_granted() {
    let session = Prepared::new();
    let (elsewhere, object) = (session.folder().join("elsewhere"), session.spec.work_tree.join("object"));
    fs::write(&elsewhere, "of a mirror").unwrap();
    fs::hard_link(&elsewhere, &object).unwrap();
    let refused = grant_work_tree(&session.spec.work_tree, AgentUser::default()).unwrap_err();
    assert_eq!(refused.code(), "WORK_TREE_SHARED");
    assert_eq!(fs::metadata(&elsewhere).unwrap().uid(), nix::unistd::geteuid().as_raw());

    fs::remove_file(&elsewhere).unwrap();
    fs::hard_link(&object, session.spec.work_tree.join("twice")).unwrap();
    let own = AgentUser { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() };
    grant_work_tree(&session.spec.work_tree, own).unwrap();
}
