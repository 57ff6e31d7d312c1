//! A repository, or an agent, that wants our git to run its programs.

use std::fs;

use runner::workspace::WorkspaceSource;

use super::fixture::{Fixture, changed, commit, repository_source, run};

/// Configuration that runs a program at every occasion that git has.
fn traps(mark: &str) -> String {
    let all = [
        ("core.fsmonitor", mark),
        ("core.hooksPath", ".hooks"),
        ("core.sshCommand", mark),
        ("core.pager", mark),
        ("core.editor", mark),
        ("core.alternateRefsCommand", mark),
        ("core.askPass", mark),
        ("credential.helper", mark),
        ("diff.external", mark),
        ("diff.evil.command", mark),
        ("diff.evil.textconv", mark),
        ("filter.evil.clean", mark),
        ("filter.evil.smudge", mark),
        ("filter.evil.process", mark),
        ("filter.evil.required", "true"),
        ("merge.evil.driver", mark),
        ("gpg.program", mark),
        ("commit.gpgSign", "true"),
        ("uploadpack.packObjectsHook", mark),
        ("interactive.diffFilter", mark),
        ("sequence.editor", mark),
        ("protocol.ext.allow", "always"),
    ];
    all.map(|(name, value)| format!("git config {name} '{value}'")).join("; ")
}

const HOOKS: &str = "mkdir -p .hooks .git/hooks; for hook in post-checkout pre-commit post-index-change reference-transaction \
    post-commit applypatch-msg pre-applypatch post-applypatch fsmonitor-watchman; do for folder in .hooks .git/hooks; do \
    printf '#!/bin/sh\\n%s\\n' \"$MARK\" > $folder/$hook; chmod +x $folder/$hook; done; done; ";

const ATTRIBUTES: &str = "echo '* filter=evil diff=evil merge=evil text' > .gitattributes; ";

#[tokio::test]
async fn a_hostile_agent_runs_nothing_when_its_work_is_collected() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a; seq 1 9 > b");
    let mark = fixture.path().join("mark");
    let touch = format!("touch {}; exit 1", mark.display());
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    let script = format!("MARK='{touch}'; {HOOKS}{ATTRIBUTES}{}", traps(&touch));
    run(&workspace.work_tree(), &script);
    run(
        &workspace.work_tree(),
        "cp .gitattributes .git/info/attributes; echo x >> a; seq 2 9 > b; printf '[include]\\n\\tpath = ../evil\\n' >> .git/config; \
         cp .git/config evil; mkdir nested; cp -r .git nested/.git; echo n > nested/n; rm -rf .git/objects/info; ",
    );
    let work = workspace.collect().await.unwrap();
    workspace.bundle(&fixture.path().join("bundle")).await.unwrap();
    assert!(changed(&work).contains(&"nested/n".to_owned()));
    assert!(!mark.exists(), "a program of the agent ran");
}

#[tokio::test]
async fn a_hostile_folder_of_this_machine_runs_nothing_when_it_is_cloned() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let mark = fixture.path().join("mark");
    let touch = format!("touch {}; exit 1", mark.display());
    run(&repository, ATTRIBUTES);
    commit(&repository, "attributes");
    run(&repository, &format!("MARK='{touch}'; {HOOKS}{}", traps(&touch)));
    for reference in [None, Some("main".to_owned())] {
        let source = WorkspaceSource { reference, ..repository_source(&repository) };
        let workspace = fixture.prepare("s1", &source).await;
        assert_eq!(fs::read_to_string(workspace.work_tree().join("a")).unwrap(), "a\n");
        run(&workspace.work_tree(), "echo b > b");
        assert_eq!(changed(&workspace.collect().await.unwrap()), ["b"]);
    }
    assert!(!mark.exists(), "a program of the repository ran");
}

#[tokio::test]
async fn a_git_folder_that_leads_to_another_repository_gives_nothing_of_it_away() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let other = fixture.repository("other", "echo secret > secret");
    for (session, script) in [
        ("s1", format!("rm -rf .git; ln -s {}/.git .git", other.display())),
        ("s2", format!("rm -rf .git; echo 'gitdir: {}/.git' > .git", other.display())),
        ("s3", format!("mkdir n; ln -s {}/.git n/.git; echo n > n/n", other.display())),
        ("s4", format!("ln -s {} outside", other.display())),
    ] {
        let workspace = fixture.prepare(session, &repository_source(&repository)).await;
        run(&workspace.work_tree(), &format!("{script}; echo b > b"));
        let work = workspace.collect().await.unwrap();
        assert!(changed(&work).contains(&"b".to_owned()));
        assert!(!String::from_utf8(work.patch).unwrap().contains("+secret"), "{script}");
        assert_eq!(run(&other, "git status --porcelain; git stash list; git rev-list --count HEAD"), "1");
    }
}

#[tokio::test]
async fn lfs_files_are_pointers_that_nobody_touched() {
    let fixture = Fixture::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\\nsize 12345\\n";
    let repository = fixture.repository(
        "r",
        &format!("printf '{pointer}' > big.bin; echo '*.bin filter=lfs diff=lfs merge=lfs -text' > .gitattributes"),
    );
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert!(fs::read_to_string(workspace.work_tree().join("big.bin")).unwrap().starts_with("version https"));
    run(&workspace.work_tree(), "touch big.bin; echo b > b");
    assert_eq!(changed(&workspace.collect().await.unwrap()), ["b"]);
}
