//! What is collected.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
};

use runner::{
    secret_mask::SecretMask,
    workspace::{ChangeKind, OmissionReason, WorkspaceSource},
};

use super::fixture::{Fixture, assert_same_files, changed, folder_source, repository_source, run};

#[tokio::test]
async fn every_kind_of_change_is_in_a_patch_that_applies() {
    let fixture = Fixture::new();
    let repository = fixture.repository(
        "r",
        "echo a > edit; echo b > drop; echo c > mode; ln -s edit link; echo d > retype; mkdir d; echo e > d/e; \
         echo f > becomes-folder; head -c 9000 /dev/urandom > bin; printf 'no end' > no-end; echo m > moved",
    );
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "echo x >> edit; rm drop; chmod +x mode; ln -sf /etc/passwd link; rm retype; ln -s edit retype; rm -r d; echo d > d; \
         rm becomes-folder; mkdir becomes-folder; echo g > becomes-folder/g; head -c 7000 /dev/urandom > bin; \
         printf 'no end still' > no-end; git mv moved elsewhere; : > empty; head -c 5000 /dev/urandom > new-bin",
    );
    let work = workspace.collect().await.unwrap();
    assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
    let kind = |path: &str| work.changed.iter().find(|one| one.path == Path::new(path)).map(|one| one.kind);
    assert_eq!(kind("edit"), Some(ChangeKind::Modified));
    assert_eq!(kind("drop"), Some(ChangeKind::Deleted));
    assert_eq!(kind("empty"), Some(ChangeKind::Added));
    assert_eq!(kind("retype"), Some(ChangeKind::TypeChanged));
    assert!(work.omitted.is_empty());
    assert!(!String::from_utf8(work.patch).unwrap().contains("root:"), "a link was followed");
}

#[tokio::test]
async fn names_of_any_bytes_are_collected() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    let names: [&[u8]; 10] = [
        b"new\nline",
        b"tab\there",
        b"latin\xe9",
        b"\xff\xfe",
        b" space ",
        b"-option",
        b":(glob)**",
        b"quote\"",
        b"back\\slash",
        "ünïcode \u{1f600}".as_bytes(),
    ];
    for name in names {
        fs::write(workspace.work_tree().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let work = workspace.collect().await.unwrap();
    assert_eq!(work.changed.len(), names.len());
    assert!(names.iter().all(|name| work.changed.iter().any(|one| one.path.as_os_str().as_bytes() == *name)));
    assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
}

#[tokio::test]
async fn a_patch_is_utf8_and_keeps_files_in_other_encodings() {
    let fixture = Fixture::new();
    let repository =
        fixture.repository("r", "printf 'caf\\351\\n' > latin; printf 'a\\n' > plain; printf 'x\\377\\n' > t");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "printf 'caf\\351s\\n' > latin; echo b > plain; rm t; ln -s latin t; printf '\\376\\n' > z",
    );
    let work = workspace.collect().await.unwrap();
    let patch = String::from_utf8(work.patch.clone()).unwrap();
    assert!(patch.contains("\n+b\n"), "{patch}");
    assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
    // A second time the same: nothing of the first stays in the way.
    assert_eq!(workspace.collect().await.unwrap().patch, work.patch);
}

#[tokio::test]
async fn a_link_whose_target_is_no_text_is_named_and_kept_on_the_branch() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a; printf 'caf\\351\\n' > latin");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    symlink(OsStr::from_bytes(b"\xff"), workspace.work_tree().join("link")).unwrap();
    run(&workspace.work_tree(), "echo b > b; printf 'caf\\351s\\n' > latin; rm a; ln -s $(printf '\\376') a");
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["b", "latin"]);
    let omitted: Vec<_> = work.omitted.iter().map(|one| (one.path.to_str().unwrap(), one.reason)).collect();
    assert_eq!(omitted, [("a", OmissionReason::NotText), ("link", OmissionReason::NotText)]);
    let applied = fixture.apply(&repository, &work);
    assert_eq!(run(&applied, "cat a b"), "a\nb");
    workspace.bundle(&fixture.path().join("bundle")).await.unwrap();
    run(&repository, "git fetch -q ../../bundle ioc/s1");
    assert_eq!(run(&repository, "git ls-tree --name-only FETCH_HEAD"), "a\nb\nlatin\nlink");
}

#[tokio::test]
async fn ignored_files_are_not_collected_and_tracked_ones_are() {
    let fixture = Fixture::new();
    let repository =
        fixture.repository("r", "mkdir dist; echo k > dist/kept; printf 'dist/\\n*.log\\n!keep.log\\n' > i");
    run(&repository, "mv i .gitignore; git add -f dist .gitignore; git commit -qm ignore");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "echo x >> dist/kept; echo n > dist/new; echo l > a.log; echo k > keep.log; mkdir -p sub/dist; echo y > sub/dist/y; \
         echo z > sub/z; echo only > sub/.gitignore; echo o > sub/only",
    );
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["dist/kept", "keep.log", "sub/.gitignore", "sub/z"]);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_named_and_hides_no_other() {
    let fixture = Fixture::with(|settings| settings.limits.file_bytes = 1000);
    let repository = fixture.repository("r", "head -c 5000 /dev/zero > was-large; head -c 5000 /dev/zero > untouched");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "echo a > a; head -c 2000 /dev/zero > big; echo z > z; head -c 6000 /dev/zero > was-large; touch untouched",
    );
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["a", "z"]);
    let omitted: Vec<_> = work.omitted.iter().map(|one| (one.path.to_str().unwrap(), one.bytes, one.reason)).collect();
    assert_eq!(omitted, [("big", 2000, OmissionReason::TooLarge), ("was-large", 6000, OmissionReason::TooLarge)]);
}

#[tokio::test]
async fn the_total_limit_leaves_out_single_files_only() {
    let fixture = Fixture::with(|settings| settings.limits.total_bytes = 1000);
    let workspace = fixture.prepare("s1", &WorkspaceSource::default()).await;
    run(&workspace.work_tree(), "head -c 600 /dev/zero > a; head -c 600 /dev/zero > b; head -c 300 /dev/zero > c");
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["a", "c"]);
    assert_eq!(work.omitted.len(), 1);
    assert_eq!(work.omitted[0].path, Path::new("b"));
    assert_eq!(work.omitted[0].reason, OmissionReason::TotalTooLarge);
}

#[tokio::test]
async fn a_file_that_git_refuses_costs_no_other() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "echo 'bad* working-tree-encoding=UTF-16' > .gitattributes; printf x > bad1; printf yyy > bad2; echo b > b; echo z > z",
    );
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), [".gitattributes", "b", "z"]);
    let omitted: Vec<_> = work.omitted.iter().map(|one| (one.path.to_str().unwrap(), one.reason)).collect();
    assert_eq!(omitted, [("bad1", OmissionReason::Refused), ("bad2", OmissionReason::Refused)]);
}

#[tokio::test]
async fn pipes_sockets_and_links_into_nowhere_do_not_stop_the_collecting() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a; echo b > b; mkdir d; echo c > d/c");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "mkfifo pipe; rm a; mkfifo a; ln -s /nowhere dangling; ln -s . loop; rm -r d; ln -s /etc d",
    );
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["a", "d", "d/c", "dangling", "loop"]);
    assert!(!String::from_utf8(work.patch).unwrap().contains("passwd"));
}

#[tokio::test]
async fn line_ends_that_nobody_touched_are_not_changes() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "printf 'one\\r\\ntwo\\r\\n' > win.txt; printf 'a\\r\\n' > other.txt");
    run(
        &repository,
        "printf '*.txt text\\n*.bat text eol=crlf\\n' > .gitattributes; printf 'x\\n' > run.bat; git add .gitattributes run.bat",
    );
    run(&repository, "git commit -qm attributes");
    for (session, source) in [("s1", folder_source(&repository)), ("s2", repository_source(&repository))] {
        let workspace = fixture.prepare(session, &source).await;
        assert_eq!(fs::read(workspace.work_tree().join("win.txt")).unwrap(), b"one\r\ntwo\r\n");
        assert_eq!(fs::read(workspace.work_tree().join("run.bat")).unwrap(), b"x\r\n");
        run(
            &workspace.work_tree(),
            "echo hi > note.md; touch win.txt run.bat; chmod +x win.txt; printf 'b\\r\\n' >> other.txt",
        );
        let work = workspace.collect().await.unwrap();
        assert_eq!(changed(&work), ["note.md", "other.txt", "win.txt"], "{session}");
        assert!(work.patch.ends_with(b"new mode 100755\n"), "more than the mode is in the patch");
        let applied = fixture.apply(&repository, &work);
        assert_eq!(run(&applied, "tr -d '\\r' < other.txt"), "a\nb");
    }
}

#[tokio::test]
async fn attributes_of_the_agent_do_not_change_files_that_it_did_not_touch() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "printf 'one\\r\\n' > win.txt; printf 'two\\r\\n' > edit.txt");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(&workspace.work_tree(), "echo '*.txt text' > .gitattributes; touch win.txt; printf 'three\\r\\n' >> edit.txt");
    assert_eq!(changed(&workspace.collect().await.unwrap()), [".gitattributes", "edit.txt"]);
}

#[tokio::test]
async fn a_bundle_survives_the_workspace() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    run(&repository, "echo 2 > a; git commit -qam 2");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    let bundle = fixture.path().join("work.bundle");
    workspace.bundle(&bundle).await.unwrap();
    let fetch = format!("git fetch -q {} refs/heads/ioc/s1 && git rev-parse FETCH_HEAD", bundle.display());
    assert_eq!(run(&repository, &fetch), workspace.base().unwrap());
    run(&workspace.work_tree(), "echo b > b; git add b; git commit -qm b; echo c > c");
    let work = workspace.collect().await.unwrap();
    workspace.bundle(&bundle).await.unwrap();
    fixture.workspaces.remove("s1").await.unwrap();
    run(&repository, &fetch);
    assert_eq!(
        run(&repository, "git show FETCH_HEAD:b FETCH_HEAD:c; git rev-parse FETCH_HEAD~2"),
        format!("b\nc\n{}", work.base.unwrap())
    );
}

#[tokio::test]
async fn a_bundle_of_a_copied_folder_is_complete() {
    let fixture = Fixture::new();
    let folder = fixture.source("plain");
    fs::create_dir(&folder).unwrap();
    run(&folder, "echo a > a");
    let workspace = fixture.prepare("s1", &folder_source(&folder)).await;
    run(&workspace.work_tree(), "echo b > b");
    let bundle = fixture.path().join("work.bundle");
    workspace.bundle(&bundle).await.unwrap();
    run(fixture.path(), "git clone -q -b ioc/s1 work.bundle restored");
    assert_same_files(&fixture.path().join("restored"), &workspace.work_tree());
}

#[tokio::test]
async fn an_unchanged_workspace_has_an_empty_patch_and_its_base() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    let work = workspace.collect().await.unwrap();
    assert!(work.patch.is_empty() && work.changed.is_empty());
    assert_eq!(work.commit, work.base);
}

#[tokio::test]
async fn an_edit_right_after_the_checkout_is_noticed_also_much_later() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "for i in $(seq 50); do echo a > f$i; done");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(&workspace.work_tree(), "for i in $(seq 50); do echo b > f$i; done");
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(workspace.collect().await.unwrap().changed.len(), 50);
    assert_eq!(workspace.collect().await.unwrap().changed.len(), 50);
}

#[tokio::test]
async fn a_binary_file_with_a_secret_is_named_and_not_in_the_patch() {
    let fixture = Fixture::new();
    let repository = fixture.repository(
        "r",
        "printf '\\0quiet otters' > had; printf '\\0quiet otters' > gone; printf '\\0plain' > plain; echo a > a",
    );
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "printf '\\0clean' > had; rm gone; printf '\\0other' > plain; echo 'quiet otters' >> a; \
         printf '\\0\\0 quiet otters \\377' > new; printf 'caf\\351 quiet otters' > latin; printf 'caf\\351' > coffee",
    );
    let mask = SecretMask::of_values(["quiet otters"]);
    let work = workspace.collect_without_secrets(&mask).await.unwrap();
    assert_eq!(changed(&work), ["a", "coffee", "plain"]);
    let omitted: Vec<_> = work.omitted.iter().map(|one| (one.path.to_str().unwrap(), one.bytes, one.reason)).collect();
    let has_secret = |path, bytes| (path, bytes, OmissionReason::HasSecret);
    assert_eq!(omitted, [has_secret("gone", 0), has_secret("had", 6), has_secret("latin", 17), has_secret("new", 17)]);
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["a", "coffee", "gone", "had", "latin", "new", "plain"], "for whoever may read all");
    assert_eq!(work.omitted, []);
}
