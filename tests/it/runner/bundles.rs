//! The commits of a session on a runner, with the real OpenCode in a real sandbox: how people get them as a git bundle,
//! and when they do not.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{process::RunnerFixture, support::script};

/// A secret without the shape of one, so that only its being known can hide it.
const VALUE: &str = "seven quiet otters";

fn prompt(command: &str) -> String {
    let bash = json!({"tool": "bash", "args": {"command": command, "description": "Work"}});
    script(&[bash, json!({"text": "all is done"})])
}

/// Runs a script as a person would, and returns what it writes.
fn run(folder: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim_end().to_owned();
    assert!(output.status.success(), "{script}: {text}");
    text
}

/// Fetches the bundle of a session into a new clone, and returns the titles and authors of its commits.
async fn fetch_commits(runner: &RunnerFixture, session: &str, folder: &Path) -> String {
    let bundle = runner.download(session, "work.bundle").await.expect("a bundle");
    fs::write(folder.join("work.bundle"), bundle).unwrap();
    let fetch = format!(
        "rm -rf clone; git clone -q source clone; cd clone; git fetch -q ../work.bundle ioc/{session}; \
         git log --format='%s|%an' origin/main..FETCH_HEAD"
    );
    run(folder, &fetch)
}

#[tokio::test]
async fn the_commits_of_a_session_are_fetched_from_its_bundle() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    run(
        folder.path(),
        "git init -q -b main source; cd source; git config user.name Owner; git config user.email owner@example.com; \
         echo a > a; git add a; git commit -qm first",
    );
    let runner = RunnerFixture::with_folder("opencode", folder.path()).await;
    let work = "printf '\\0\\1' > blob; git add blob; git commit -qm 'Add a blob' --author 'Ada <ada@example.com>'; \
                echo b > b";
    let session = runner.start_session_at(&prompt(work), &folder.path().join("source")).await;
    runner.wait_for_completion(&session).await;
    assert_eq!(runner.changed_paths(&session).await, ["b", "blob"]);
    let commits = fetch_commits(&runner, &session, folder.path()).await;
    assert_eq!(commits, format!("ioc: Work of session {session}|Owner\nAdd a blob|Ada"));
    let files = "git show FETCH_HEAD:blob | od -An -tx1; git show FETCH_HEAD:b";
    assert_eq!(run(&folder.path().join("clone"), files), " 00 01\nb");
    let fork = runner.caller.act(&format!("/sessions/{session}/fork")).await.expect(201);
    let fork = fork["id"].as_str().unwrap();
    runner.caller.act(&format!("/sessions/{fork}/start")).await.expect(202);
    runner.wait_for_completion(fork).await;
    assert_eq!(runner.changed_paths(fork).await, ["b", "blob"], "it continues from the patch");
    assert_eq!(fetch_commits(&runner, fork, folder.path()).await, "ioc: Work of an earlier run|Owner");
}

#[tokio::test]
async fn commits_and_binary_files_with_a_secret_stay_and_the_log_says_why() {
    let runner = RunnerFixture::with_program("opencode").await;
    let lead = runner.app.caller(Role::Lead);
    let secret = json!({"value": VALUE, "phase": "agent"}).to_string().into_bytes();
    lead.send("PUT", "/api/v1/secrets/tenant/PASSPHRASE", Some(secret)).await.expect(200);
    lead.post("/api/v1/environments", json!({"name": "vault", "secrets": ["PASSPHRASE"]})).await.expect(201);
    for (content, reason) in [
        ("printf '\\0%s' \"$PASSPHRASE\" > blob; echo \"$PASSPHRASE\"", Some("the value of a secret")),
        ("head -c 11000000 /dev/urandom", Some("it has 110")),
        ("echo harmless", None),
    ] {
        let work = format!("{content} > x; git add x; git commit -qm x; git rm -q x; git commit -qm gone; echo a > a");
        let session = runner.start_session_in(&prompt(&work), "vault").await;
        runner.wait_for_completion(&session).await;
        assert_eq!(runner.changed_paths(&session).await, ["a"], "{content}");
        assert!(runner.download(&session, "changes.patch").await.is_some());
        let bundle = runner.download(&session, "work.bundle").await;
        let events = Value::from(runner.caller.events(&session).await).to_string();
        assert_eq!(
            (bundle.is_some(), events.contains("BUNDLE_OMITTED")),
            (reason.is_none(), reason.is_some()),
            "{content}"
        );
        assert_eq!(events.contains("FILE_OMITTED: blob (19 bytes)"), content.contains("blob"), "{content}: {events}");
        assert!(events.contains(reason.unwrap_or("all is done")) && !events.contains(VALUE), "{content}: {events}");
    }
}
