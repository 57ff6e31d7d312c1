//! The commits of a session as a git bundle: for whom they are, and when they stay.

use std::{fs, path::PathBuf};

use runner::{
    secret_mask::SecretMask,
    workspace::{WorkBundle, Workspace, WorkspaceSource},
};

use super::fixture::{Fixture, assert_same_files, folder_source, repository_source, run};

/// The largest bundle that a session delivers.
const MOST_BYTES: u64 = 10 << 20;

async fn bundle(workspace: &Workspace, secret: &str) -> WorkBundle {
    let work = workspace.collect().await.expect("work");
    let mask = SecretMask::of_values([secret]);
    workspace.bundle_without_secrets(&work, MOST_BYTES, &mask).await.expect("an answer")
}

/// The bundle of a session, written where a person has downloaded it.
async fn downloaded(fixture: &Fixture, workspace: &Workspace) -> PathBuf {
    let WorkBundle::Written(content) = bundle(workspace, "").await else { panic!("a bundle") };
    let path = fixture.path().join("work.bundle");
    fs::write(&path, content).expect("a file");
    path
}

#[tokio::test]
async fn a_bundle_brings_commits_authors_and_binary_files_into_a_clone() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "seq 1 2000 > a; head -c 200000 /dev/urandom > large");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "printf '\\0\\377\\001' > binary; git add binary; \
         git commit -q --author 'Ada <ada@example.com>' -m 'Add a binary' -m 'With a body.'; \
         echo 2001 >> a; git commit -qam 'Change a'; echo c > c",
    );
    let path = downloaded(&fixture, &workspace).await;
    assert!(fs::metadata(&path).unwrap().len() < 50_000, "what the clone has is not in it");
    fixture.workspaces.remove("s1").await.unwrap();
    run(fixture.path(), "git clone -q src/r plain");
    let clone = fixture.path().join("plain");
    run(&clone, "git fetch -q ../work.bundle ioc/s1 && git checkout -q FETCH_HEAD");
    let log = run(&clone, "git log --format='%s|%b|%an|%ae|%cn' origin/main..");
    let kept =
        ["ioc: Work of session s1||ioc agent|agent@ioc.invalid|ioc agent", "Change a||Test|test@example.com|Test"];
    assert_eq!(log.lines().take(2).collect::<Vec<_>>(), kept);
    assert!(log.ends_with("Add a binary|With a body.\n|Ada|ada@example.com|Test"), "{log}");
    assert_eq!(fs::read(clone.join("binary")).unwrap(), b"\0\xff\x01");
    assert_eq!(run(&clone, "tail -n 1 a; cat c; git fsck"), "2001\nc");
}

#[tokio::test]
async fn a_bundle_without_a_base_is_complete_and_can_be_cloned() {
    let fixture = Fixture::new();
    let empty = fixture.source("empty");
    fs::create_dir(&empty).unwrap();
    run(&empty, "git init -q -b main");
    for (session, source) in [("s1", repository_source(&empty)), ("s2", WorkspaceSource::default())] {
        let workspace = fixture.prepare(session, &source).await;
        assert_eq!(bundle(&workspace, "").await, WorkBundle::Nothing);
        run(&workspace.work_tree(), "echo a > a; git add a; git commit -qm root; echo b > b");
        let path = downloaded(&fixture, &workspace).await;
        run(fixture.path(), &format!("git clone -q -b ioc/{session} {} {session}", path.display()));
        let clone = fixture.path().join(session);
        assert_same_files(&clone, &workspace.work_tree());
        assert_eq!(run(&clone, "git log --format=%s"), format!("ioc: Work of session {session}\nroot"));
    }
}

#[tokio::test]
async fn no_bundle_holds_what_the_source_has_or_the_files_of_a_folder() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(bundle(&workspace, "").await, WorkBundle::Nothing);
    let folder = fixture.source("plain");
    fs::create_dir(&folder).unwrap();
    run(&folder, "echo private > .env");
    let workspace = fixture.prepare("s2", &folder_source(&folder)).await;
    run(&workspace.work_tree(), "echo b > b");
    assert_eq!(bundle(&workspace, "").await, WorkBundle::Nothing);
}

#[tokio::test]
async fn a_bundle_that_is_too_large_is_named_with_its_size() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(&workspace.work_tree(), "head -c 50000 /dev/urandom > b; git add b; git commit -qm b; git rm -q b; echo c > c");
    let work = workspace.collect().await.unwrap();
    let mask = SecretMask::default();
    let WorkBundle::TooLarge { bytes } = workspace.bundle_without_secrets(&work, 40_000, &mask).await.unwrap() else {
        panic!("it is too large");
    };
    assert!((50_000..60_000).contains(&bytes), "{bytes}");
    let bundle = workspace.bundle_without_secrets(&work, bytes, &mask).await.unwrap();
    assert!(matches!(bundle, WorkBundle::Written(content) if content.len() as u64 == bytes));
}

#[tokio::test]
async fn a_secret_anywhere_in_the_commits_keeps_the_bundle() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    for (at, script) in [
        // The patch does not show it.
        "echo 'password = quiet otters' > b; git add b; git commit -qm b; git rm -q b; git commit -qm c; echo d > d",
        "printf '\\0\\377quiet otters\\0' > b; git add b; git commit -qm b",
        "echo b > 'quiet otters.txt'; git add .; git commit -qm b",
        "echo b > b; git add b; git commit -qm 'Use quiet otters'",
        "echo b > b; git add b; git commit -q --author 'quiet otters <a@example.com>' -m b",
        "for i in $(seq 300); do head -c 9000 /dev/urandom > f$i; done; git add .; git commit -qm b; echo quiet otters > z",
    ]
    .iter()
    .enumerate()
    {
        let workspace = fixture.prepare(&format!("s{at}"), &repository_source(&repository)).await;
        run(&workspace.work_tree(), script);
        assert_eq!(bundle(&workspace, "quiet otters").await, WorkBundle::HasSecret, "{script}");
        assert!(matches!(bundle(&workspace, "noisy otters").await, WorkBundle::Written(_)), "{script}");
    }
}

#[tokio::test]
async fn a_secret_that_the_source_has_keeps_the_bundle_only_if_it_is_in_it() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo quiet otters > a; echo b > b");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(&workspace.work_tree(), "echo c > b");
    assert!(matches!(bundle(&workspace, "quiet otters").await, WorkBundle::Written(_)));
    run(&workspace.work_tree(), "echo more >> a");
    assert_eq!(bundle(&workspace, "quiet otters").await, WorkBundle::HasSecret);
    // The head of a bundle names its base by the title.
    run(&repository, "git rm -q a; git commit -qm 'Use quiet otters'");
    let workspace = fixture.prepare("s2", &repository_source(&repository)).await;
    run(&workspace.work_tree(), "echo c > b");
    assert_eq!(bundle(&workspace, "quiet otters").await, WorkBundle::HasSecret);
}

#[tokio::test]
async fn a_hook_or_a_filter_of_an_agent_does_not_run_for_its_bundle() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    let mark = fixture.path().join("mark");
    run(
        &workspace.work_tree(),
        &format!(
            "mkdir -p .git/hooks; for hook in pre-commit post-commit reference-transaction post-index-change; do \
             printf '#!/bin/sh\\ntouch {0}\\n' > .git/hooks/$hook; done; echo b > b; git add b; git commit -qm b; \
             chmod +x .git/hooks/*; echo '* filter=evil diff=evil' > .gitattributes; \
             for name in uploadpack.packObjectsHook filter.evil.clean diff.evil.textconv core.fsmonitor core.pager; do \
             git config $name 'touch {0}'; done; cp .git/config .git/info/",
            mark.display()
        ),
    );
    assert!(matches!(bundle(&workspace, "quiet otters").await, WorkBundle::Written(_)));
    assert!(!mark.exists(), "a program of the agent ran");
}
