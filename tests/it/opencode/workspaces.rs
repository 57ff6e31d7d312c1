//! Where a run works, and what it must not reach.

use std::{fs, path::Path};

use serde_json::json;
use shared::{
    agents::contract::{AgentRuntime, Assignment, workspace::Workspace},
    kernel::failure::Category,
};

use super::{Bench, bash, git, worktree, write};

#[tokio::test]
async fn two_sessions_of_one_repository_are_isolated_from_each_other() {
    let bench = Bench::new();
    let project = bench.repository("app");
    let one = bench.assignment_in(&project, &json!([write("one.txt", "1"), bash("ls"), {"text": "ok"}]));
    let two = bench.assignment_in(&project, &json!([write("two.txt", "2"), bash("ls"), {"text": "ok"}]));
    let (one_seen, two_seen) = tokio::join!(bench.run(&one), bench.run(&two));
    assert!(!worktree(&one_seen.state).join("two.txt").exists());
    assert!(!worktree(&two_seen.state).join("one.txt").exists());
    let work = bench.runtime.collect_output(&one, &one_seen.state).await.unwrap();
    assert_eq!(work.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["one.txt"]);
}

#[tokio::test]
async fn a_file_outside_the_workspace_is_denied_to_the_tools() {
    let bench = Bench::new();
    let secret = bench.folder.join("secret.txt");
    fs::write(&secret, "secret").unwrap();
    let read = json!({"tool": "read", "args": {"filePath": secret}});
    let seen = bench.run(&bench.assignment(&json!([read, {"text": "ok"}]))).await;
    assert_eq!(seen.completed(), "ok");
    assert_eq!(seen.tools("read").last(), Some(&"error"));
}

#[tokio::test]
async fn a_directory_outside_the_roots_is_refused_even_through_a_link() {
    let bench = Bench::new();
    fs::create_dir(bench.folder.join("private")).unwrap();
    let link = bench.folder.join("projects/link");
    std::os::unix::fs::symlink(bench.folder.join("private"), &link).unwrap();
    let root = bench.folder.join("work");
    for place in [bench.folder.join("private"), link, root, "/etc".into(), "/nowhere".into()] {
        let assignment = bench.assignment_in(&place, &json!([{"text": "ok"}]));
        let failure = bench.runtime.dispatch(&assignment).await.unwrap_err();
        assert_eq!((failure.category, failure.code.as_str()), (Category::Policy, "DIRECTORY_FORBIDDEN"), "{place:?}");
    }
    let missing = bench.assignment_in(&bench.folder.join("projects/none"), &json!([{"text": "ok"}]));
    assert_eq!(bench.runtime.dispatch(&missing).await.unwrap_err().code, "DIRECTORY_MISSING");
}

#[tokio::test]
async fn no_value_of_a_session_becomes_shell_code() {
    let bench = Bench::new();
    let mark = bench.folder.join("owned");
    let evil = format!("$(touch {0}) `touch {0}` '; touch {0}; '", mark.display());
    let mut assignment = bench.assignment_in(&bench.folder.join("projects").join(&evil), &json!([{"text": "ok"}]));
    assignment.title.clone_from(&evil);
    bench.runtime.dispatch(&assignment).await.unwrap_err();
    let repository = bench.repository("app").display().to_string();
    let workspace = Workspace { repository: Some(repository), reference: Some(evil), directory: None };
    let assignment = Assignment { workspace: Some(workspace), ..assignment };
    assert_eq!(bench.runtime.dispatch(&assignment).await.unwrap_err().code, "REFERENCE_UNKNOWN");
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_plain_directory_is_copied_and_left_unchanged() {
    let bench = Bench::new();
    let place = bench.folder.join("projects/plain");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("a.txt"), "a\n").unwrap();
    let assignment = bench.assignment_in(&place, &json!([bash("cat a.txt && echo b >> a.txt"), {"text": "ok"}]));
    let seen = bench.run(&assignment).await;
    let work = bench.runtime.collect_output(&assignment, &seen.state).await.unwrap();
    assert_eq!((work.files[0].path.as_str(), work.files[0].additions, work.files[0].deletions), ("a.txt", 1, 0));
    assert_eq!(fs::read_to_string(place.join("a.txt")).unwrap(), "a\n");
}

#[tokio::test]
async fn a_repository_is_cloned_at_its_ref_and_fetched_again_for_the_next() {
    let bench = Bench::new();
    let project = bench.repository("app");
    git(&project, &["checkout", "-q", "-b", "feature/x"]);
    fs::write(project.join("api/feature.txt"), "x").unwrap();
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "Feature"]);
    git(&project, &["tag", "v1"]);
    git(&project, &["checkout", "-q", "main"]);
    let assignment = cloned(&bench, &project, Some("feature/x"), Some("api"));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    assert!(state.0["directory"].as_str().unwrap().ends_with("/api"));
    assert!(worktree(&state).join("api/feature.txt").is_file());
    bench.finish(&assignment, state).await.completed();

    fs::write(project.join("later.txt"), "later").unwrap();
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "Later"]);
    let state = bench.runtime.dispatch(&cloned(&bench, &project, None, None)).await.unwrap();
    assert!(worktree(&state).join("later.txt").is_file(), "the default branch, fetched anew");
    let head = git(&project, &["rev-parse", "v1"]);
    let state = bench.runtime.dispatch(&cloned(&bench, &project, Some(head.trim()), None)).await.unwrap();
    assert_eq!(state.0["base"], head.trim());
}

#[tokio::test]
async fn a_missing_repository_ref_or_folder_is_named() {
    let bench = Bench::new();
    let project = bench.repository("app");
    for (place, reference, directory, code) in [
        (&project, Some("nope"), None, "REFERENCE_UNKNOWN"),
        (&project, Some("main"), Some("no/folder"), "DIRECTORY_MISSING"),
        (&bench.folder.join("none"), None, None, "REPOSITORY_UNUSABLE"),
    ] {
        let assignment = cloned(&bench, place, reference, directory);
        let failure = bench.runtime.dispatch(&assignment).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.category), (code, Category::User));
    }
}

fn cloned(bench: &Bench, project: &Path, reference: Option<&str>, directory: Option<&str>) -> Assignment {
    let workspace = Workspace {
        repository: Some(format!("file://{}", project.display())),
        reference: reference.map(str::to_owned),
        directory: directory.map(str::to_owned),
    };
    Assignment { workspace: Some(workspace), ..bench.assignment(&json!([bash("ls"), {"text": "ok"}])) }
}
