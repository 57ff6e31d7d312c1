//! A run from the handover to the diff.

use std::{fs, time::Duration};

use serde_json::json;
use shared::agents::contract::{AgentRuntime, FileStatus, Phase, TranscriptEntry};

use tokio::time::sleep;

use super::{Agents, Bench, asked, bash, git, worktree, write};

#[tokio::test]
async fn a_run_writes_files_and_the_diff_shows_them() {
    let bench = Bench::new();
    let project = bench.repository("app");
    let steps = json!([
        {"tool": "write", "args": {"filePath": "new file.txt", "content": "hello\n"}, "say": "I shall write."},
        bash("echo four >> README.md && git rm -q api/main.rs && git commit -qm 'Agent' && echo x > 'größe.txt'"),
        {"text": "All done."}
    ]);
    let assignment = bench.assignment_in(&project, &steps);
    let seen = bench.run(&assignment).await;
    assert_eq!(seen.completed(), "All done.");
    assert_eq!(seen.texts(), ["I shall write.", "All done."]);
    assert_eq!(seen.tools("write").last(), Some(&"completed"));
    assert_eq!(seen.changed(), ["new file.txt"]);
    assert_eq!(seen.last().turns_with_changes, 1);

    let work = bench.runtime.collect_output(&assignment, &seen.state).await.unwrap();
    let mut files: Vec<_> = work.files.iter().map(|file| (file.path.as_str(), file.status, file.additions)).collect();
    files.sort_unstable_by_key(|file| file.0);
    let expected = [
        ("README.md", FileStatus::Modified, 1),
        ("api/main.rs", FileStatus::Deleted, 0),
        ("größe.txt", FileStatus::Added, 1),
        ("new file.txt", FileStatus::Added, 1),
    ];
    assert_eq!(files, expected);
    assert!(work.summary.starts_with("All done.\n\nChanged files:"), "{}", work.summary);
    let fresh = bench.folder.join("fresh");
    git(&bench.folder, &["clone", "-q", &project.display().to_string(), "fresh"]);
    fs::write(bench.folder.join("patch"), &work.patch).unwrap();
    git(&fresh, &["apply", "../patch"]);
    assert_eq!(fs::read_to_string(fresh.join("README.md")).unwrap(), "one\ntwo\nthree\nfour\n");
    assert!(!fs::exists(project.join("new file.txt")).unwrap(), "the project itself is left alone");
}

#[tokio::test]
async fn reading_the_diff_does_not_disturb_the_agents_git_index() {
    let bench = Bench::new();
    let assignment = bench.assignment_in(&bench.repository("app"), &json!([bash("echo x > a; echo y > b; git add a")]));
    let seen = bench.run(&assignment).await;
    let place = worktree(&seen.state);
    let before = git(&place, &["status", "--porcelain"]);
    bench.runtime.collect_output(&assignment, &seen.state).await.unwrap();
    assert_eq!(git(&place, &["status", "--porcelain"]), before);
    assert_eq!(before, "A  a\n?? b\n");
}

#[tokio::test]
async fn every_transcript_entry_is_reported_once_over_many_observations() {
    let bench = Bench::new();
    let steps = json!([
        {"tools": [bash("echo one"), write("made.txt", "two")], "say": "Two at once."},
        {"tool": "read", "args": {"filePath": "absent.txt"}},
        {"text": "A long answer, in pieces.", "chunks": 5, "chunk_sleep": 0.1}
    ]);
    let assignment = bench.assignment(&steps);
    let seen = bench.run(&assignment).await;
    assert_eq!(seen.completed(), "A long answer, in pieces.");
    assert_eq!(seen.texts(), ["Two at once.", "A long answer, in pieces."]);
    assert_eq!(seen.tools("bash").iter().filter(|state| **state == "completed").count(), 1);
    assert_eq!(seen.tools("read").last(), Some(&"error"), "a tool that fails does not fail the run");
    assert_eq!(seen.changed(), ["made.txt"]);
    let again = bench.runtime.observe(&assignment, &seen.state).await.unwrap();
    assert_eq!(again.transcript, [], "nothing is new");
    assert_eq!(again.phase, seen.last().phase, "an end stays the same");
    let mut parts: Vec<_> = seen.entries.iter().filter_map(reported).collect();
    let all = parts.len();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!(parts.len(), all);
}

#[tokio::test]
async fn a_long_unobserved_run_is_reported_completely() {
    let bench = Bench::new();
    let mut steps: Vec<_> = (0..12).map(|number| bash(&format!("echo word-of-the-long {number}"))).collect();
    steps.push(json!({"text": "done"}));
    let assignment = bench.assignment(&json!(steps));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    while asked(Agents::shared(), "word-of-the-long").len() < 13 {
        sleep(Duration::from_millis(50)).await;
    }
    let seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.completed(), "done");
    assert_eq!(seen.tools("bash"), ["completed"; 12]);
}

fn reported(entry: &TranscriptEntry) -> Option<(String, String)> {
    match entry {
        TranscriptEntry::Message { part, role, .. } => Some((part.clone(), role.clone())),
        TranscriptEntry::Tool { part, state, .. } => Some((part.clone(), state.clone())),
        _ => None,
    }
}

#[tokio::test]
async fn a_large_diff_is_complete_and_one_beyond_the_limit_is_marked() {
    let bench = Bench::new();
    let line = "seq 1 150000 > big.txt; head -c 200000 /dev/urandom > raw.bin; printf 'caf\\351\\n' > latin.txt";
    let assignment = bench.assignment_in(&bench.repository("app"), &json!([bash(line), {"text": "ok"}]));
    let seen = bench.run(&assignment).await;
    let work = bench.runtime.collect_output(&assignment, &seen.state).await.unwrap();
    assert!(work.patch.len() > 1 << 20, "{}", work.patch.len());
    let place = worktree(&seen.state);
    let fresh = bench.folder.join("fresh");
    git(&bench.folder, &["clone", "-q", "projects/app", "fresh"]);
    fs::write(bench.folder.join("patch"), &work.patch).unwrap();
    git(&fresh, &["apply", "../patch"]);
    for file in ["big.txt", "raw.bin", "latin.txt"] {
        assert_eq!(fs::read(fresh.join(file)).unwrap(), fs::read(place.join(file)).unwrap(), "{file}");
    }

    let mut small = Bench::on(Agents::shared(), |settings| {
        settings.workspace_root = bench.folder.join("work").display().to_string();
        settings.patch_limit = 100_000;
    });
    small.tenant_id = bench.tenant_id;
    let work = small.runtime.collect_output(&assignment, &seen.state).await.unwrap();
    assert!(work.patch.len() <= 100_000);
    assert!(work.summary.starts_with("The patch has "), "{}", work.summary);
    let mut names: Vec<_> = work.files.iter().map(|file| file.path.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["big.txt", "latin.txt", "raw.bin"]);
}

#[tokio::test]
async fn a_release_removes_the_files_and_keeps_the_branch() {
    let bench = Bench::new();
    let project = bench.repository("app");
    let assignment = bench.assignment_in(&project, &json!([write("kept.txt", "kept\n"), {"text": "ok"}]));
    let seen = bench.run(&assignment).await;
    let place = worktree(&seen.state);
    assert!(place.join("kept.txt").is_file());
    for _ in 0..2 {
        bench.runtime.release_workspace(&assignment, &seen.state).await.unwrap();
    }
    assert!(!place.exists());
    let branch = format!("ioc/{}", assignment.session_id);
    assert_eq!(git(&project, &["show", &format!("{branch}:kept.txt")]), "kept\n");
    assert_eq!(git(&project, &["worktree", "list"]).lines().count(), 1);
    let work = bench.runtime.collect_output(&assignment, &seen.state).await.unwrap();
    assert_eq!(work.files[0].path, "kept.txt", "the work can still be read from the branch");
    let observation = bench.runtime.observe(&assignment, &seen.state).await.unwrap();
    assert!(matches!(observation.phase, Phase::Finished(_)), "its session is gone: {:?}", observation.phase);
    bench.runtime.abort(&assignment, &seen.state).await.unwrap();
}
