//! A runner that is root, and agents of another user. These tests need root and say so where it is missing.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use nix::unistd::geteuid;
use runner::{
    secret_mask::SecretMask,
    workspace::{Owner, WorkBundle, Workspace, WorkspaceSource},
};

use super::fixture::{Fixture, assert_same_files, changed, folder_source, repository_source, run};

const OWNER: Owner = Owner { uid: 65534, gid: 65534 };

/// Runs a script in the work tree as the agents' user.
fn run_as_owner(workspace: &Workspace, script: &str) -> String {
    run_as(OWNER, workspace, script)
}

fn run_as(Owner { uid, gid }: Owner, workspace: &Workspace, script: &str) -> String {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups", "sh", "-c", script]);
    command.current_dir(workspace.work_tree()).env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().expect("setpriv");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[tokio::test]
async fn agents_of_another_user_can_work_and_are_collected_as_that_user() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run agents as another user");
        return;
    }
    let fixture = Fixture::with(|settings| settings.owner = Some(OWNER));
    let library = fixture.repository("lib", "echo l > l");
    let repository = fixture.repository("r", "echo a > a");
    let add =
        format!("git -c protocol.file.allow=always submodule add -q {} lib; git commit -qm lib", library.display());
    run(&repository, &add);
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(workspace.warnings(), []);
    let foreign = format!("find {} ! -uid 65534 | head -3", fixture.data().join("sessions/s1").display());
    assert_eq!(run(fixture.path(), &foreign), fixture.data().join("sessions/s1/meta/borrowed").display().to_string());
    run_as_owner(
        &workspace,
        "git status --porcelain; echo b > b; git add b; git commit -qm b; echo c > c; git stash -q -u; git stash pop -q",
    );
    run_as_owner(
        &workspace,
        "git config core.fsmonitor 'id -u > ../mark'; git log --oneline; echo x > lib/x; echo s > s; chmod 000 s",
    );
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["b", "c", "lib/x"]);
    assert_eq!(work.omitted.len(), 1, "the file that its owner cannot read");
    assert!(!fixture.data().join("sessions/s1/mark").exists());
    fs::remove_file(workspace.work_tree().join("s")).unwrap();
    assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
    workspace.bundle(&fixture.path().join("bundle")).await.unwrap();
    let mask = SecretMask::of_values(["quiet otters"]);
    let bundle = workspace.bundle_without_secrets(&work, 10 << 20, &mask).await.unwrap();
    assert!(matches!(bundle, WorkBundle::Written(_)), "its user can read what is searched for secrets");
    fixture.workspaces.remove("s1").await.unwrap();
    assert!(!fixture.data().join("sessions/s1").exists());
}

#[tokio::test]
async fn a_copied_folder_and_an_empty_source_can_be_worked_in_by_another_user() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run agents as another user");
        return;
    }
    let fixture = Fixture::with(|settings| settings.owner = Some(OWNER));
    let folder = fixture.source("plain");
    fs::create_dir(&folder).unwrap();
    run(&folder, "echo a > a; chmod 700 . a");
    for (session, source) in [("s1", folder_source(&folder)), ("s2", WorkspaceSource::default())] {
        let workspace = fixture.prepare(session, &source).await;
        run_as_owner(&workspace, "echo b > b; git add b; git commit -qm b; git fsck; git log --oneline");
        assert_eq!(changed(&workspace.collect().await.unwrap()), ["b"]);
    }
}

#[tokio::test]
async fn a_mirror_is_not_writable_for_agents_and_a_folder_of_another_user_is_a_source() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run agents as another user");
        return;
    }
    let fixture = Fixture::with(|settings| settings.owner = Some(OWNER));
    let repository = fixture.repository("r", "echo a > a");
    run(&repository, "chown -R 65533:65533 .");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    let objects = workspace.borrowed_objects()[0].display().to_string();
    let attempt = format!(
        "touch {objects}/x 2>/dev/null && echo written; rm -rf {objects} 2>/dev/null; git log --oneline | wc -l"
    );
    assert_eq!(run_as_owner(&workspace, &attempt), "1");
    assert_eq!(fs::metadata(fixture.data().join("mirrors")).unwrap().mode() & 0o7777, 0o750);
    assert_eq!(fs::metadata(workspace.work_tree()).unwrap().mode() & 0o7777, 0o700);
}

#[tokio::test]
async fn sessions_of_two_users_share_a_mirror_and_cannot_read_each_other() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run agents as another user");
        return;
    }
    let fixture = Fixture::with(|settings| settings.owner = Some(OWNER));
    let source = repository_source(&fixture.repository("r", "echo a > a"));
    let mut made: Vec<(Owner, Workspace)> = Vec::new();
    for (session, uid) in [("s1", 65101), ("s2", 65102)] {
        let owner = Owner { uid, gid: OWNER.gid };
        let workspace = fixture.workspaces.for_owner(owner).prepare("own", session, &source).await.unwrap();
        run_as(owner, &workspace, "git status; echo b > b; git add b; git commit -qm b; git fsck");
        assert_eq!(fs::metadata(workspace.work_tree().join("b")).unwrap().uid(), uid);
        made.push((owner, workspace));
    }
    for ((owner, workspace), (_, other)) in [(&made[0], &made[1]), (&made[1], &made[0])] {
        let attempt = format!("cat {0}/a {0}/b 2>/dev/null; ls {0} 2>/dev/null; true", other.work_tree().display());
        assert_eq!(run_as(*owner, workspace, &attempt), "");
        assert_eq!(changed(&workspace.collect().await.unwrap()), ["b"]);
    }
    assert_eq!(made[0].1.borrowed_objects(), made[1].1.borrowed_objects());
}

#[tokio::test]
async fn links_that_an_agent_put_into_our_own_folders_lead_root_nowhere() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run agents as another user");
        return;
    }
    let fixture = Fixture::with(|settings| settings.owner = Some(OWNER));
    let repository = fixture.repository("r", "echo a > a");
    let victim = fixture.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("attributes"), "only for root").unwrap();
    run(&victim, "chmod 600 attributes; echo lock > index.lock");
    let links = [
        "for d in $(find ../meta -type d -name info); do ln -sf VICTIM/attributes $d/attributes; done",
        "for f in $(find ../meta -name pristine-index); do ln -sf VICTIM/attributes $f; done",
        "for d in $(find ../meta -type d -name info); do rm -rf $d; ln -s VICTIM $d; done",
        "for d in $(find ../meta -type d -name refs); do rm -rf $d; ln -s VICTIM $d; done",
    ];
    for (at, link) in links.iter().enumerate() {
        let workspace = fixture.prepare(&format!("s{at}"), &repository_source(&repository)).await;
        let script = format!("echo b > b; {}", link.replace("VICTIM", victim.to_str().unwrap()));
        run_as_owner(&workspace, &script);
        let collected = workspace.collect().await;
        let facts = fs::metadata(victim.join("attributes")).unwrap();
        assert_eq!(fs::read_to_string(victim.join("attributes")).unwrap(), "only for root", "{link}: {collected:?}");
        assert_eq!((facts.uid(), facts.mode() & 0o777), (0, 0o600), "{link}");
        let files: Vec<_> = fs::read_dir(&victim).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(files.len(), 2, "{link}: {files:?}");
        assert_eq!(fs::metadata(&victim).unwrap().uid(), 0, "{link}");
        let copies = format!("grep -rl 'only for root' {} || true", fixture.data().join("sessions").display());
        assert_eq!(run(fixture.path(), &copies), "", "{link}: nothing of root's was copied to where the agent reads");
    }
}
