//! Mirrors under concurrency, interruption and kills.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use futures_util::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runner::workspace::{ErrorCategory, WorkspaceError, Workspaces};
use tokio::time::sleep;

use super::fixture::{Fixture, changed, repository_source, run};

/// Makes the next fetch stop in the middle of the objects for some seconds, once.
fn stall_next_fetch(fixture: &Fixture, seconds: u32) {
    let (hook, flag) = (fixture.path().join("stall.sh"), fixture.path().join("stall"));
    let script = format!(
        "#!/bin/sh\nif rm {} 2>/dev/null; then \"$@\" | (head -c 200000; sleep {seconds}; cat); else exec \"$@\"; fi\n",
        flag.display()
    );
    fs::write(&hook, script).expect("a hook");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("permissions");
    fs::write(&flag, "").expect("a flag");
    let config =
        format!("[protocol \"file\"]\n\tallow = always\n[uploadpack]\n\tpackObjectsHook = {}\n", hook.display());
    fs::write(fixture.path().join("gitconfig"), config).expect("a configuration");
}

fn large_repository(fixture: &Fixture) -> PathBuf {
    fixture.repository("r", "head -c 2000000 /dev/urandom > big; for i in $(seq 150); do echo $i > f$i; done")
}

/// Waits until a fetch has written a part of a pack into the data folder.
async fn wait_for_partial_pack(data: &Path) {
    for _ in 0..500 {
        if !run(data, "find mirrors -name 'tmp_pack_*' -size +1k").is_empty() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("no fetch began");
}

/// The git processes that work in a data folder.
fn processes_in(data: &Path) -> Vec<Pid> {
    let list = format!("grep -lsa '{}' /proc/[0-9]*/environ || true", data.display());
    let ids = run(Path::new("/"), &list);
    let ids = ids.lines().filter_map(|line| line.split('/').nth(2)?.parse().ok().map(Pid::from_raw));
    ids.filter(|id| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "git")).collect()
}

#[tokio::test]
async fn twenty_sessions_prepare_one_repository_at_once() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "for i in $(seq 200); do echo $i > f$i; done");
    let source = repository_source(&repository);
    let names: Vec<_> = (0..20).map(|at| format!("s{at}")).collect();
    let workspaces = join_all(names.iter().map(|name| fixture.prepare(name, &source))).await;
    assert!(fixture.mirror().join("1.git").exists() && !fixture.mirror().join("2.git").exists());
    for (at, workspace) in workspaces.iter().enumerate() {
        run(&workspace.work_tree(), &format!("echo {at} > mine; git add mine; git commit -qm {at}"));
    }
    let collected = join_all(workspaces.iter().map(runner::workspace::Workspace::collect)).await;
    for (at, work) in collected.into_iter().enumerate() {
        let work = work.unwrap();
        assert_eq!(changed(&work), ["mine"]);
        assert!(String::from_utf8(work.patch).unwrap().contains(&format!("+{at}\n")));
    }
    join_all(names.iter().map(|name| fixture.workspaces.remove(name))).await;
    assert_eq!(run(&fixture.data(), "ls sessions; ls mirrors/*"), "1.git\nlock");
}

#[tokio::test]
async fn a_clone_whose_git_is_killed_is_made_anew() {
    let fixture = Fixture::new();
    let repository = large_repository(&fixture);
    stall_next_fetch(&fixture, 60);
    let source = repository_source(&repository);
    let kill_it = async {
        wait_for_partial_pack(&fixture.data()).await;
        for process in processes_in(&fs::canonicalize(fixture.data()).unwrap()) {
            let _ = kill(process, Signal::SIGKILL);
        }
    };
    let (first, ()) = tokio::join!(fixture.workspaces.prepare("tenant", "s1", &source), kill_it);
    // Either git's own end or that of its helper is seen first: it is tried again here, or by the caller.
    assert!(first.is_ok() || first.is_err_and(|error| error.category() == ErrorCategory::Transient));
    let workspace = fixture.prepare("s1", &source).await;
    assert_eq!(fs::read(workspace.work_tree().join("big")).unwrap().len(), 2_000_000);
    assert_eq!(
        run(&fixture.mirror(), "ls; git -C 1.git fsck 2>&1 | grep -v notice; find . -name 'tmp_*' -o -name '*.part'"),
        "1.git\nlock"
    );
}

#[tokio::test]
async fn a_preparation_that_is_given_up_ends_its_git_and_is_made_anew() {
    let fixture = Fixture::new();
    let repository = large_repository(&fixture);
    stall_next_fetch(&fixture, 60);
    let source = repository_source(&repository);
    let data = fs::canonicalize(fixture.data()).unwrap();
    tokio::select! {
        _ = fixture.prepare("s1", &source) => panic!("the fetch did not stall"),
        () = wait_for_partial_pack(&data) => {}
    }
    for _ in 0..250 {
        if processes_in(&data).is_empty() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(processes_in(&data).is_empty(), "git is left");
    let later = Workspaces::open(&data, Fixture::settings_in(fixture.path())).unwrap();
    let workspace = later.prepare("tenant", "s1", &source).await.unwrap();
    assert!(workspace.work_tree().join("big").exists());
    assert_eq!(run(&fixture.mirror(), "ls"), "1.git\nlock");
}

#[tokio::test]
async fn an_update_that_was_killed_is_cleaned_up_under_the_borrowing_sessions() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let first = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &repository,
        "head -c 2000000 /dev/urandom > big; for i in $(seq 150); do echo $i > f$i; done; git add .; git commit -qm big",
    );
    stall_next_fetch(&fixture, 60);
    let (data, source) = (fixture.data(), repository_source(&repository));
    tokio::select! {
        _ = fixture.prepare("s2", &source) => panic!("the fetch did not stall"),
        () = wait_for_partial_pack(&data) => {}
    }
    let copy = fixture.mirror().join("1.git");
    run(&copy, "touch packed-refs.lock refs/heads/main.lock shallow.lock; ls objects/pack/tmp_pack_* ioc-fetching");
    let second = fixture.prepare("s2", &repository_source(&repository)).await;
    assert!(second.work_tree().join("big").exists());
    assert_eq!(run(&fixture.mirror(), "ls; find . -name 'tmp_*' -o -name 'ioc-fetching'"), "1.git\nlock");
    assert_eq!(run(&first.work_tree(), "git fsck --no-dangling 2>&1; git status --porcelain"), "");
}

/// Is run by the next test in a process of its own, which is killed.
#[tokio::test]
#[ignore = "is run by another test in a process of its own"]
async fn the_runner_to_be_killed_prepares() {
    let folder =
        std::env::vars_os().find(|(name, _)| name == "IOC_TEST_FOLDER").expect("the folder of the other test").1;
    let folder = PathBuf::from(folder);
    let workspaces = Workspaces::open(&folder.join("data"), Fixture::settings_in(&folder)).unwrap();
    workspaces.prepare("tenant", "s1", &repository_source(&folder.join("src/r"))).await.unwrap();
}

#[tokio::test]
async fn a_mirror_is_left_alone_while_the_git_of_a_killed_runner_still_writes_to_it() {
    let fixture = Fixture::new();
    let repository = large_repository(&fixture);
    stall_next_fetch(&fixture, 3);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "workspace::mirrors::the_runner_to_be_killed_prepares", "--ignored"]);
    let mut runner = command.env("IOC_TEST_FOLDER", fixture.path()).spawn().unwrap();
    wait_for_partial_pack(&fixture.data()).await;
    runner.kill().unwrap();
    runner.wait().unwrap();
    let data = fs::canonicalize(fixture.data()).unwrap();
    assert!(!processes_in(&data).is_empty(), "git ended with its runner, so this test shows nothing");
    let workspace = fixture.prepare("s2", &repository_source(&repository)).await;
    assert!(processes_in(&data).is_empty());
    assert!(workspace.work_tree().join("big").exists());
    assert_eq!(run(&fixture.mirror(), "ls; git -C *.git fsck 2>&1 | grep -v notice || true"), "1.git\nlock");
}

#[tokio::test]
async fn tenants_have_mirrors_of_their_own() {
    let fixture = Fixture::new();
    let source = repository_source(&fixture.repository("r", "echo a > a"));
    fixture.workspaces.prepare("one", "s1", &source).await.unwrap();
    fixture.workspaces.prepare("other", "s2", &source).await.unwrap();
    assert_eq!(run(&fixture.data(), "ls mirrors | wc -l"), "2");
}

#[tokio::test]
async fn a_repository_that_is_withdrawn_is_not_served_from_its_mirror() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    fixture.prepare("s1", &repository_source(&repository)).await;
    run(&repository, "rm -rf .git");
    let error = fixture.prepare_error(&repository_source(&repository)).await;
    assert_eq!(error.code(), WorkspaceError::REPOSITORY_NOT_FOUND, "{}", error.message());
}
