//! Submodules.

use std::fs;

use super::fixture::{Fixture, assert_same_files, changed, commit, repository_source, run};

/// A repository with a submodule at `deps/lib`, which has one of its own at `inner`.
fn nested(fixture: &Fixture) -> std::path::PathBuf {
    let inner = fixture.repository("inner", "echo i > i.c");
    let library = fixture.repository("lib", "echo l > lib.c; printf 'x\\r\\n' > win.txt");
    let add = "git -c protocol.file.allow=always submodule add -q";
    run(&library, &format!("{add} {} inner", inner.display()));
    commit(&library, "inner");
    let repository = fixture.repository("r", "echo a > a");
    run(&repository, &format!("{add} --name weird/name ../lib deps/lib"));
    commit(&repository, "lib");
    run(&library, "echo later > lib.c; git commit -qam later");
    repository
}

#[tokio::test]
async fn submodules_are_as_in_a_fresh_checkout() {
    let fixture = Fixture::new();
    let repository = nested(&fixture);
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(workspace.warnings(), []);
    let work_tree = workspace.work_tree();
    assert_eq!(fs::read_to_string(work_tree.join("deps/lib/lib.c")).unwrap(), "l\n");
    assert_eq!(fs::read_to_string(work_tree.join("deps/lib/inner/i.c")).unwrap(), "i\n");
    assert_eq!(run(&work_tree, "git status --porcelain"), "");
    let status = run(&work_tree, "git submodule status --recursive");
    assert!(
        status.lines().all(|line| line.starts_with(' ') || line.chars().next().unwrap().is_ascii_hexdigit()),
        "{status}"
    );
    assert_eq!(status.lines().count(), 2, "{status}");
    assert_eq!(workspace.borrowed_objects().len(), 3);
    assert!(changed(&workspace.collect().await.unwrap()).is_empty());
}

#[tokio::test]
async fn edits_and_commits_within_submodules_are_in_the_patch_with_their_paths() {
    let fixture = Fixture::new();
    let repository = nested(&fixture);
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "git config diff.submodule log; echo x >> deps/lib/lib.c; git -C deps/lib commit -qam w; echo y > deps/lib/inner/new; \
         printf 'caf\\351\\n' > deps/lib/latin; git add deps/lib; git commit -qm pointer; echo z > z",
    );
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["deps/lib/inner/new", "deps/lib/latin", "deps/lib/lib.c", "z"]);
    let submodules: Vec<_> = work.changed_submodules.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(submodules, ["deps/lib", "deps/lib/inner"]);
    assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
    let mut source = repository_source(&repository);
    source.continuation = Some(String::from_utf8(work.patch.clone()).unwrap());
    let next = fixture.prepare("s2", &source).await;
    assert_same_files(&next.work_tree(), &workspace.work_tree());
    assert_eq!(changed(&next.collect().await.unwrap()), changed(&work));
}

#[tokio::test]
async fn a_submodule_that_an_agent_removes_or_replaces_is_a_change_of_its_parent() {
    let fixture = Fixture::new();
    let repository = nested(&fixture);
    for (session, script, expected) in [
        ("s1", "rm -rf deps", vec!["deps/lib"]),
        ("s2", "rm -rf deps/lib; echo f > deps/lib", vec!["deps/lib"]),
        ("s3", "rm -rf deps/lib; ln -s /etc deps/lib", vec!["deps/lib"]),
        ("s4", "rm -rf deps/lib/.git deps/lib/inner/.git; echo x > deps/lib/x", vec!["deps/lib/x"]),
    ] {
        let workspace = fixture.prepare(session, &repository_source(&repository)).await;
        run(&workspace.work_tree(), script);
        assert_eq!(changed(&workspace.collect().await.unwrap()), expected, "{script}");
    }
}

#[tokio::test]
async fn a_submodule_that_cannot_be_had_is_empty_and_named() {
    let fixture = Fixture::new();
    let repository = nested(&fixture);
    fs::rename(fixture.source("lib"), fixture.source("gone")).unwrap();
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(workspace.warnings().len(), 1);
    assert_eq!(workspace.warnings()[0].code, "SUBMODULE_EMPTY");
    assert!(workspace.warnings()[0].message.contains("deps/lib"));
    assert!(changed(&workspace.collect().await.unwrap()).is_empty());
    run(&workspace.work_tree(), "echo x > deps/lib/x");
    assert_eq!(changed(&workspace.collect().await.unwrap()), ["deps/lib", "deps/lib/x"]);
}

#[tokio::test]
async fn a_hostile_address_of_a_submodule_runs_nothing_and_reads_nothing() {
    let fixture = Fixture::new();
    let mark = fixture.path().join("mark");
    let repository = nested(&fixture);
    let secret = fixture.path().join("secret");
    fs::create_dir(&secret).unwrap();
    run(&secret, "git init -q; echo s > s");
    commit(&secret, "first");
    for url in [
        format!("ext::touch {}", mark.display()),
        format!("--upload-pack=touch {}", mark.display()),
        format!("ssh://-oProxyCommand=touch {}/x", mark.display()),
        format!("file://{}", secret.display()),
        "../../secret".to_owned(),
        "git://127.0.0.1/x".to_owned(),
    ] {
        run(
            &repository,
            &format!(
                "git config -f .gitmodules submodule.weird/name.url '{url}'; git config -f .gitmodules submodule.weird/name.update '!touch {}'; git commit -qam url",
                mark.display()
            ),
        );
        let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
        assert_eq!(workspace.warnings().len(), 1, "{url}");
        assert_eq!(fs::read_dir(workspace.work_tree().join("deps/lib")).unwrap().count(), 0);
        assert!(!mark.exists(), "{url}");
    }
}
