//! What agents do to git: it ends with their session, and the work is collected all the same.

use std::fs;

use runner::workspace::{Workspace, WorkspaceError};

use super::fixture::{Fixture, assert_same_files, changed, repository_source, run, try_run};

async fn prepared(fixture: &Fixture, session: &str) -> Workspace {
    let repository = fixture.source("r");
    if !repository.exists() {
        fixture.repository("r", "seq 1 9 > a; echo b > b");
        run(&repository, "echo 2 >> b; git commit -qam second; git branch other HEAD~1");
    }
    fixture.prepare(session, &repository_source(&repository)).await
}

#[tokio::test]
async fn an_agent_that_changes_its_repository_loses_no_files() {
    let fixture = Fixture::new();
    for (at, script) in [
        "true",
        "git add -A; git commit -qm x",
        "git add -A; git commit -qm x; git checkout -q -b mine; git checkout -q --detach HEAD~1; echo w > w; seq 1 9 > a",
        "git checkout -q --orphan new; git commit -qam new; git branch -D ioc/s3; git gc -q --prune=now",
        "rm -rf .git",
        "rm -rf .git; git init -q; git add -A; git commit -qm anew",
        "rm -rf .git; echo 'gitdir: /nowhere' > .git",
        "rm -rf .git; ln -s /nowhere .git",
        "rm -rf .git; mkfifo .git",
        "touch .git/index.lock .git/HEAD.lock",
        "git reset -q --soft HEAD~1; git commit -q --amend -m rewritten; git reflog expire --expire=now --all; git gc -q --prune=now",
        "git stash -q -u; git stash apply -q",
        "git update-index --assume-unchanged a; git update-index --skip-worktree b",
        "git config core.autocrlf inputt; git config core.bare true",
        "git config core.worktree /; git config core.sparseCheckout true",
        "echo '*' > .git/info/exclude; echo '* filter=evil' > .git/info/attributes",
        "echo /nowhere > .git/objects/info/alternates",
        "printf garbage > .git/HEAD; printf garbage > .git/index; printf '[' > .git/config",
        "git worktree add -q ../elsewhere; rm -rf ../elsewhere",
        "git replace HEAD HEAD~1; git notes add -m n; git rm -q --cached a",
        "git config extensions.worktreeConfig true; git config remote.origin.promisor true",
    ]
    .into_iter()
    .enumerate()
    {
        let session = format!("s{at}");
        let workspace = prepared(&fixture, &session).await;
        let work_tree = workspace.work_tree();
        run(&work_tree, "echo added > added; seq 2 9 > a; rm b");
        run(&work_tree, script);
        run(&work_tree, "echo added > added");
        let work = workspace.collect().await.unwrap_or_else(|error| panic!("{script}: {error}"));
        assert!(changed(&work).contains(&"added".to_owned()), "{script}: {:?}", work.changed);
        assert_same_files(&fixture.apply(&fixture.source("r"), &work), &work_tree);
        fixture.workspaces.remove(&session).await.unwrap();
    }
}

#[tokio::test]
async fn nested_repositories_are_collected_as_files() {
    let fixture = Fixture::new();
    let workspace = prepared(&fixture, "s1").await;
    run(
        &workspace.work_tree(),
        "echo '*.pyc' > .gitignore; git init -q tool; echo 'print(1)' > tool/tool.py; echo x > tool/x.pyc; git -C tool add -A; \
         git -C tool commit -qm x; git init -q empty; mkdir -p deep/er; git init -q deep/er; echo d > deep/er/d; \
         git init -q deep/er/still; echo s > deep/er/still/s; echo outer > outer.txt; git add outer.txt tool .gitignore 2>/dev/null; git commit -qm all",
    );
    let work = workspace.collect().await.unwrap();
    let expected = [".gitignore", "deep/er/d", "deep/er/still/s", "outer.txt", "tool/tool.py"];
    assert_eq!(changed(&work), expected);
    let commit = work.commit.unwrap();
    workspace.bundle(&fixture.path().join("bundle")).await.unwrap();
    fixture.workspaces.remove("s1").await.unwrap();
    run(&fixture.source("r"), &format!("git fetch -q {} ioc/s1", fixture.path().join("bundle").display()));
    let content = run(&fixture.source("r"), "git show FETCH_HEAD:tool/tool.py");
    assert_eq!(content, "print(1)", "{commit}");
}

#[tokio::test]
async fn a_submodule_that_an_agent_adds_is_collected_as_files() {
    let fixture = Fixture::new();
    let library = fixture.repository("lib", "echo l > lib.c");
    let workspace = prepared(&fixture, "s1").await;
    let add =
        format!("git -c protocol.file.allow=always submodule add -q {} lib; git commit -qm sub", library.display());
    run(&workspace.work_tree(), &add);
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), [".gitmodules", "lib/lib.c"]);
    assert_same_files(&fixture.apply(&fixture.source("r"), &work), &workspace.work_tree());
}

#[tokio::test]
async fn two_sessions_on_one_branch_share_nothing() {
    let fixture = Fixture::new();
    let (one, other) = (prepared(&fixture, "s1").await, prepared(&fixture, "s2").await);
    run(
        &one.work_tree(),
        "echo secret > a; git stash -q; git config core.autocrlf inputt; git config user.name One; git tag mine; \
         git branch mine; printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit || { mkdir .git/hooks; printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit; }; chmod +x .git/hooks/pre-commit",
    );
    assert_eq!(
        run(&other.work_tree(), "git stash list; git tag -l; git branch -l mine; git config core.autocrlf || true"),
        ""
    );
    assert!(!try_run(&other.work_tree(), "git stash pop").0);
    run(&other.work_tree(), "echo x > x; git add x; git commit -qm x; git push -q origin HEAD:refs/heads/pushed");
    let later = prepared(&fixture, "s3").await;
    assert_eq!(run(&later.work_tree(), "git stash list; git tag -l; git config user.name"), "ioc agent");
    assert!(run(&fixture.source("r"), "git for-each-ref").contains("refs/heads/pushed"));
}

#[tokio::test]
async fn objects_of_agents_never_reach_the_mirror() {
    let fixture = Fixture::new();
    let workspace = prepared(&fixture, "s1").await;
    let mirror = fixture.mirror().join("1.git");
    let list = "find objects refs packed-refs config -type f | sort | xargs sha256sum";
    let before = run(&mirror, list);
    run(&workspace.work_tree(), "echo x > x; git add x; git commit -qm x; git gc -q; git repack -adq; git prune");
    workspace.collect().await.unwrap();
    workspace.bundle(&fixture.path().join("b")).await.unwrap();
    assert_eq!(run(&mirror, list), before);
    assert_eq!(run(&mirror, "git config gc.auto || true; git count-objects -v | grep ^garbage:"), "garbage: 0");
}

#[tokio::test]
async fn a_work_tree_that_is_gone_is_an_error_and_no_empty_patch() {
    let fixture = Fixture::new();
    let workspace = prepared(&fixture, "s1").await;
    fs::remove_dir_all(workspace.work_tree()).unwrap();
    assert_eq!(workspace.collect().await.unwrap_err().code(), WorkspaceError::WORK_TREE_MISSING);
    std::os::unix::fs::symlink("/etc", workspace.work_tree()).unwrap();
    assert_eq!(workspace.collect().await.unwrap_err().code(), WorkspaceError::WORK_TREE_MISSING);
}

#[tokio::test]
async fn an_empty_work_tree_is_the_deletion_of_everything() {
    let fixture = Fixture::new();
    let workspace = prepared(&fixture, "s1").await;
    run(&workspace.work_tree(), "rm -rf ./* .git");
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["a", "b"]);
}
