//! The commits of an agent on the kept branch.

use std::{fs, path::Path};

use runner::workspace::{Workspace, WorkspaceSource};

use super::fixture::{Fixture, repository_source, run};

/// The titles of the kept commits since the base, newest first, read in the source repository from a bundle.
async fn kept_titles(fixture: &Fixture, repository: &Path, workspace: &Workspace) -> String {
    let bundle = fixture.path().join("bundle");
    workspace.bundle(&bundle).await.expect("a bundle");
    let branch = format!("refs/heads/ioc/{}", workspace.session());
    let base = workspace.base().map(|base| format!("--not {base}")).unwrap_or_default();
    let script = format!("git fetch -q {} {branch} && git log --format=%s FETCH_HEAD {base}", bundle.display());
    run(repository, &script)
}

#[tokio::test]
async fn commits_of_an_agent_are_kept_with_the_rest_of_its_work_on_top() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    for (session, pack) in [("s1", "true"), ("s2", "git repack -adlq"), ("s3", "git pack-refs --all")] {
        let workspace = fixture.prepare(session, &repository_source(&repository)).await;
        let script =
            format!("echo b > b; git add b; git commit -qm one; echo c > c; git add c; git commit -qm two; {pack}");
        run(&workspace.work_tree(), &script);
        let tip = run(&workspace.work_tree(), "git rev-parse HEAD");
        assert_eq!(workspace.collect().await.unwrap().commit, Some(tip));
        run(&workspace.work_tree(), "echo d > d; git checkout -q -b other");
        let kept = kept_titles(&fixture, &repository, &workspace).await;
        assert_eq!(kept, format!("ioc: Work of session {session}\ntwo\none"));
        assert_eq!(run(&repository, "git show FETCH_HEAD:d FETCH_HEAD:b"), "d\nb");
    }
}

#[tokio::test]
async fn commits_in_an_empty_repository_are_kept() {
    let fixture = Fixture::new();
    let workspace = fixture.prepare("s1", &WorkspaceSource::default()).await;
    run(
        &workspace.work_tree(),
        "echo a > a; git add a; git commit -qm root; echo b > b; git add b; git commit -qm next",
    );
    let target = fixture.source("target");
    fs::create_dir(&target).unwrap();
    run(&target, "git init -q");
    assert_eq!(kept_titles(&fixture, &target, &workspace).await, "next\nroot");
}

#[tokio::test]
async fn a_history_that_does_not_descend_from_the_base_is_kept_as_one_commit() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    run(&repository, "echo 2 > a; git commit -qam second");
    for (session, script) in [
        ("s1", "git reset -q --soft HEAD~1; git commit -q --amend -m rewritten"),
        ("s2", "git checkout -q --orphan new; git commit -qm orphan"),
        ("s3", "rm -rf .git; git init -q; git add -A; git commit -qm anew"),
        ("s4", "echo b > b; git add b; git commit -qm b; rm -rf .git/objects/??"),
        (
            "s5",
            "echo b > b; git add b; git commit -qm b; git rev-parse HEAD^{tree} | sed 's,..,&/,' | (cd .git/objects; xargs rm -f)",
        ),
        ("s6", "echo b > b; git add b; git commit -qm b; rm .git/HEAD; mkfifo .git/HEAD"),
        ("s7", "echo b > b; git add b; git commit -qm b; rm .git/HEAD; ln -s /etc/hostname .git/HEAD"),
    ] {
        let workspace = fixture.prepare(session, &repository_source(&repository)).await;
        run(&workspace.work_tree(), &format!("{script}; echo c > c"));
        assert_eq!(kept_titles(&fixture, &repository, &workspace).await, format!("ioc: Work of session {session}"));
        assert_eq!(run(&repository, "git show FETCH_HEAD:a FETCH_HEAD:c"), "2\nc", "{script}");
    }
}

#[tokio::test]
async fn a_commit_of_another_repository_cannot_be_brought_onto_the_kept_branch() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let other = fixture.repository("other", "echo secret > secret");
    let foreign = run(&other, "git rev-parse HEAD^{tree}");
    let objects = other.join(".git/objects");
    for (session, script) in [
        ("s1", format!("echo {} >> .git/objects/info/alternates", objects.display())),
        ("s2", format!("mv .git/objects .git/own; ln -s {} .git/objects", objects.display())),
        (
            "s3",
            format!(
                "for d in {}/??; do rm -rf .git/objects/$(basename $d); ln -s $d .git/objects/; done",
                objects.display()
            ),
        ),
        (
            "s4",
            format!(
                "for f in {}/??/*; do d=$(basename $(dirname $f)); mkdir -p .git/objects/$d; ln -sf $f .git/objects/$d/; done",
                objects.display()
            ),
        ),
    ] {
        let workspace = fixture.prepare(session, &repository_source(&repository)).await;
        let make = format!(
            "echo {} >> .git/objects/info/alternates; commit=$(git commit-tree -p HEAD -m stolen {foreign}); \
             git update-ref HEAD $commit; cp {}/objects/info/alternates .git/objects/info/alternates 2>/dev/null; {script}",
            objects.display(),
            workspace.work_tree().parent().unwrap().join("meta/0.git").display()
        );
        run(&workspace.work_tree(), &make);
        let kept = kept_titles(&fixture, &repository, &workspace).await;
        assert_eq!(kept, "", "{script}");
    }
}

#[tokio::test]
async fn a_history_with_too_many_bytes_is_kept_as_one_commit() {
    let fixture = Fixture::with(|settings| settings.limits.total_bytes = 100_000);
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "head -c 200000 /dev/urandom > big; git add big; git commit -qm big; rm big; echo b > b",
    );
    assert_eq!(kept_titles(&fixture, &repository, &workspace).await, "ioc: Work of session s1");
}
