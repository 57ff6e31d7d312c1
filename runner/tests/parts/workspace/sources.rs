//! Where files come from.

use std::fs;

use runner::workspace::{WorkspaceError, WorkspaceSource};

use super::fixture::{Fixture, assert_same_files, changed, commit, folder_source, repository_source, run};

#[tokio::test]
async fn a_repository_is_checked_out_at_its_default_branch() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a.txt; mkdir -p deep/er; echo b > deep/er/b.txt");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_same_files(&workspace.work_tree(), &repository);
    assert_eq!(workspace.base(), Some(run(&repository, "git rev-parse HEAD").as_str()));
    assert_eq!(run(&workspace.work_tree(), "git status --porcelain; git branch --show-current"), "ioc/s1");
    assert_eq!(run(&workspace.work_tree(), "git rev-parse --abbrev-ref @{u}"), "origin/main");
    assert!(workspace.borrowed_objects()[0].starts_with(fs::canonicalize(fixture.data()).unwrap().join("mirrors")));
}

#[tokio::test]
async fn a_branch_a_tag_a_commit_and_a_full_name_can_be_named() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo 1 > a");
    let first = run(&repository, "git rev-parse HEAD");
    run(&repository, "git tag -a v1 -m v1; git checkout -q -b feature/x; echo 2 > a; git commit -qam 2");
    run(&repository, "git update-ref refs/pull/7/head HEAD; git checkout -q --detach; echo 3 > a; git commit -qam 3");
    let hidden = run(&repository, "git rev-parse HEAD; git checkout -q main").lines().next().unwrap().to_owned();
    run(&repository, "git config uploadpack.allowAnySHA1InWant true");
    for (reference, content) in [
        ("main", "1"),
        ("v1", "1"),
        ("refs/tags/v1", "1"),
        ("feature/x", "2"),
        ("refs/heads/feature/x", "2"),
        ("refs/pull/7/head", "2"),
        (first.as_str(), "1"),
        (&first[..10], "1"),
        (hidden.as_str(), "3"),
    ] {
        let source = WorkspaceSource { reference: Some(reference.to_owned()), ..repository_source(&repository) };
        let workspace = fixture.prepare("s1", &source).await;
        assert_eq!(fs::read_to_string(workspace.work_tree().join("a")).unwrap().trim(), content, "{reference}");
    }
}

#[tokio::test]
async fn a_reference_that_is_missing_or_an_option_has_a_code() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo 1 > a");
    for (reference, code) in [
        ("nowhere", WorkspaceError::REFERENCE_UNKNOWN),
        ("refs/pull/9/head", WorkspaceError::REFERENCE_UNKNOWN),
        ("0123456789012345678901234567890123456789", WorkspaceError::REFERENCE_UNKNOWN),
        ("--upload-pack=touch x", WorkspaceError::SOURCE_INVALID),
        ("-x", WorkspaceError::SOURCE_INVALID),
        ("HEAD~1", WorkspaceError::SOURCE_INVALID),
    ] {
        let source = WorkspaceSource { reference: Some(reference.to_owned()), ..repository_source(&repository) };
        assert_eq!(fixture.prepare_error(&source).await.code(), code, "{reference}");
    }
}

#[tokio::test]
async fn a_mirror_sees_new_commits_and_deleted_branches() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo 1 > a");
    run(&repository, "git branch old");
    fixture.prepare("s1", &repository_source(&repository)).await;
    run(&repository, "git branch -D old; git branch old/er; echo 2 > a; git commit -qam 2; git checkout -q -b renamed");
    let workspace = fixture.prepare("s2", &repository_source(&repository)).await;
    assert_eq!(fs::read_to_string(workspace.work_tree().join("a")).unwrap(), "2\n");
    assert_eq!(run(&workspace.work_tree(), "git rev-parse --abbrev-ref @{u}"), "origin/renamed");
    let branches = run(&workspace.work_tree(), "git branch -r --format='%(refname:short)'");
    assert_eq!(branches.lines().collect::<Vec<_>>(), ["origin/main", "origin/old/er", "origin/renamed"]);
}

#[tokio::test]
async fn a_repository_without_a_commit_begins_empty() {
    let fixture = Fixture::new();
    let repository = fixture.source("empty");
    fs::create_dir(&repository).unwrap();
    run(&repository, "git init -q");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(workspace.base(), None);
    run(&workspace.work_tree(), "echo x > x; git add x; git commit -qm x; git remote get-url origin");
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["x"]);
    assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
}

#[tokio::test]
async fn nothing_at_all_is_an_empty_repository() {
    let fixture = Fixture::new();
    let workspace = fixture.prepare("s1", &WorkspaceSource::default()).await;
    assert_eq!(workspace.collect().await.unwrap().commit, None);
    run(&workspace.work_tree(), "echo x > x; git status");
    let work = workspace.collect().await.unwrap();
    assert_eq!((work.base.as_deref(), changed(&work)), (None, vec!["x".to_owned()]));
    assert!(work.commit.is_some() && workspace.borrowed_objects().is_empty());
}

#[tokio::test]
async fn a_folder_in_a_repository_is_cloned_and_stays_untouched() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "mkdir sub; echo a > sub/a; echo b > b");
    run(&repository, "echo stashed > b; git stash -q; git config user.name Owner; echo dirty > b");
    let before = run(&repository, "git stash list; cat .git/config; git status --porcelain; git for-each-ref");
    let workspace = fixture.prepare("s1", &folder_source(&repository.join("sub"))).await;
    assert_eq!(workspace.start_folder(), workspace.work_tree().join("sub"));
    assert_eq!(fs::read_to_string(workspace.work_tree().join("b")).unwrap(), "b\n");
    assert_eq!(run(&workspace.work_tree(), "git stash list; git config user.name"), "Owner");
    run(&workspace.work_tree(), "git config user.email x@example.com; echo c > b; git stash -q; git tag t");
    assert_eq!(run(&repository, "git stash list; cat .git/config; git status --porcelain; git for-each-ref"), before);
}

#[tokio::test]
async fn a_plain_folder_is_copied_byte_by_byte() {
    let fixture = Fixture::new();
    let folder = fixture.source("plain");
    fs::create_dir(&folder).unwrap();
    run(
        &folder,
        "printf 'a\\r\\n' > win.txt; echo '* text=auto' > .gitattributes; echo log > .gitignore; echo l > log",
    );
    run(&folder, "ln -s win.txt link; printf '#!/bin/sh\\n' > run; chmod +x run; mkdir n; git init -q n; echo n > n/n");
    let workspace = fixture.prepare("s1", &folder_source(&folder)).await;
    assert_same_files(&workspace.work_tree(), &folder);
    assert!(changed(&workspace.collect().await.unwrap()).is_empty());
    run(&workspace.work_tree(), "printf 'a\\r\\nb\\r\\n' > win.txt; rm log");
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["log", "win.txt"]);
    fs::write(fixture.path().join("p"), &work.patch).unwrap();
    run(&folder, "git apply ../../p");
    assert_same_files(&workspace.work_tree(), &folder);
}

#[tokio::test]
async fn a_folder_that_is_not_permitted_is_refused_as_source_and_as_url() {
    let fixture = Fixture::new();
    let secret = fixture.path().join("secret");
    fs::create_dir(&secret).unwrap();
    run(&secret, "git init -q -b main");
    commit(&secret, "first");
    std::os::unix::fs::symlink(&secret, fixture.source("link")).unwrap();
    for path in [&secret, &fixture.source("link"), &fixture.sources().join("../secret")] {
        for source in [folder_source(path), repository_source(path)] {
            assert_eq!(fixture.prepare_error(&source).await.code(), WorkspaceError::SOURCE_FORBIDDEN);
        }
    }
    let missing = fixture.prepare_error(&folder_source(&fixture.source("missing"))).await;
    assert_eq!(missing.code(), WorkspaceError::DIRECTORY_MISSING);
}

#[tokio::test]
async fn a_start_folder_must_be_a_folder_of_the_repository() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "mkdir sub; echo a > sub/a; ln -s /etc out; ln -s sub alias");
    let source =
        |folder: &str| WorkspaceSource { directory: Some(folder.to_owned()), ..repository_source(&repository) };
    let workspace = fixture.prepare("s1", &source("./sub/")).await;
    assert_eq!(workspace.start_folder(), workspace.work_tree().join("sub"));
    for (folder, code) in [
        ("missing", WorkspaceError::DIRECTORY_MISSING),
        ("sub/a", WorkspaceError::DIRECTORY_MISSING),
        ("out", WorkspaceError::DIRECTORY_MISSING),
        ("../r", WorkspaceError::SOURCE_INVALID),
        ("/etc", WorkspaceError::SOURCE_INVALID),
    ] {
        assert_eq!(fixture.prepare_error(&source(folder)).await.code(), code, "{folder}");
    }
}

#[tokio::test]
async fn a_continuation_is_part_of_the_collected_work() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "seq 1 50 > a; echo b > b");
    let first = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &first.work_tree(),
        "sed -i s/^10$/ten/ a; head -c 3000 /dev/urandom > bin; printf 'caf\\351\\n' > latin; rm b",
    );
    let earlier = first.collect().await.unwrap();
    run(&repository, "sed -i s/^45$/fortyfive/ a; git commit -qam moved");
    let continuation = Some(String::from_utf8(earlier.patch).unwrap());
    let second = fixture.prepare("s2", &WorkspaceSource { continuation, ..repository_source(&repository) }).await;
    assert_eq!(run(&second.work_tree(), "git status --porcelain; git rev-list --count origin/main..HEAD"), "1");
    run(&second.work_tree(), "echo more > more");
    let work = second.collect().await.unwrap();
    assert_eq!(changed(&work), ["a", "b", "bin", "latin", "more"]);
    assert_same_files(&fixture.apply(&repository, &work), &second.work_tree());
    assert!(run(&second.work_tree(), "cat a").contains("fortyfive"));
}

#[tokio::test]
async fn a_continuation_that_does_not_apply_is_the_callers_error() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    for patch in [
        "no patch\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-nothing\n+x\n",
        "--- /dev/null\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n",
    ] {
        let continuation = Some(patch.to_owned());
        let error = fixture.prepare_error(&WorkspaceSource { continuation, ..repository_source(&repository) }).await;
        assert_eq!(error.code(), WorkspaceError::PATCH_REFUSED, "{}", error.message());
    }
}

#[tokio::test]
async fn a_sha256_repository_and_a_shallow_one_are_sources_like_others() {
    let fixture = Fixture::new();
    let modern = fixture.source("modern");
    fs::create_dir(&modern).unwrap();
    run(&modern, "git init -q -b main --object-format=sha256; echo a > a");
    commit(&modern, "first");
    let whole = fixture.repository("whole", "echo 1 > a");
    run(&whole, "echo 2 > a; git commit -qam 2");
    run(&fixture.sources(), &format!("git clone -q --depth 1 file://{} shallow", whole.display()));
    for (session, name) in [("s1", "modern"), ("s2", "shallow")] {
        let workspace = fixture.prepare(session, &repository_source(&fixture.source(name))).await;
        run(&workspace.work_tree(), "echo x > x; git add x; git commit -qm x; git log --oneline");
        let work = workspace.collect().await.unwrap();
        assert_eq!(changed(&work), ["x"], "{name}");
        workspace.bundle(&fixture.path().join("bundle")).await.unwrap();
    }
}

#[tokio::test]
async fn a_repository_around_the_data_folder_has_no_influence() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    run(
        fixture.path(),
        "git init -q; git config user.name Outer; git config url./nowhere.insteadOf /; git config core.bare true",
    );
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(run(&workspace.work_tree(), "git config user.name"), "ioc agent");
    run(&workspace.work_tree(), "rm -rf .git; echo b > b");
    assert_eq!(changed(&workspace.collect().await.unwrap()), ["b"]);
}

#[tokio::test]
async fn the_identity_is_ours_only_where_the_machine_has_none() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let show = "git config user.name; git config user.email";
    let ours = fixture.prepare("s1", &repository_source(&repository)).await;
    assert_eq!(run(&ours.work_tree(), show), "ioc agent\nagent@ioc.invalid");
    fs::write(fixture.path().join("gitconfig"), "[user]\n\tname = Machine \\\"M\\\"\n\temail = m@example.com\n")
        .unwrap();
    let machine = fixture.prepare("s2", &repository_source(&repository)).await;
    assert_eq!(run(&machine.work_tree(), show), "Machine \"M\"\nm@example.com");
}
