//! What is removed, and what stays.

use std::{collections::BTreeSet, fs};

use runner::workspace::{WorkspaceSource, Workspaces};

use super::fixture::{Fixture, changed, repository_source, run};

fn sessions(fixture: &Fixture) -> Vec<String> {
    let entries = fs::read_dir(fixture.data().join("sessions")).expect("sessions").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn removing_a_workspace_leaves_nothing_of_it() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(
        &workspace.work_tree(),
        "mkdir -p locked/in; echo x > locked/in/x; chmod 000 locked/in locked; mkfifo p; ln -s /etc out; chmod 000 a; \
         i=0; while [ $i -lt 1500 ]; do mkdir d && cd d || break; i=$((i+1)); done",
    );
    fixture.workspaces.remove("s1").await.unwrap();
    assert!(sessions(&fixture).is_empty());
    fixture.workspaces.remove("s1").await.unwrap();
    assert!(fixture.mirror().join("1.git/HEAD").exists());
}

#[tokio::test]
async fn leftovers_of_a_crashed_runner_are_removed_and_kept_sessions_can_be_collected() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    for session in ["kept", "gone", "half-made"] {
        let workspace = fixture.prepare(session, &repository_source(&repository)).await;
        run(&workspace.work_tree(), "echo b > b");
    }
    fs::remove_file(fixture.data().join("sessions/half-made/meta/workspace.json")).unwrap();
    let later = Workspaces::open(&fixture.data(), Fixture::settings_in(fixture.path())).unwrap();
    assert!(later.reopen("half-made").unwrap().is_none() && later.reopen("never").unwrap().is_none());
    let mut removed = later.remove_leftovers(&BTreeSet::from(["kept".to_owned()])).await.unwrap();
    removed.sort();
    assert_eq!(removed, ["gone", "half-made"]);
    assert_eq!(sessions(&fixture), ["kept"]);
    let kept = later.reopen("kept").unwrap().unwrap();
    assert_eq!(changed(&kept.collect().await.unwrap()), ["b"]);
}

#[tokio::test]
async fn a_collection_that_was_killed_does_not_disturb_the_next() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
    run(&workspace.work_tree(), "echo b > b");
    let first = workspace.collect().await.unwrap();
    let own = fixture.data().join("sessions/s1/meta/0.git");
    run(
        &own,
        "touch index.lock HEAD.lock refs/heads/ioc/s1.lock objects/tmp_obj_x; echo '* -diff' > info/attributes; \
         mkdir -p ../scratch/x ../history/agent.git; touch ../scratch/index.lock",
    );
    let second = workspace.collect().await.unwrap();
    assert_eq!(second.patch, first.patch);
    for _ in 0..20 {
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(30), workspace.collect()).await;
        drop(given_up);
    }
    assert_eq!(workspace.collect().await.unwrap().patch, first.patch);
    assert_eq!(run(&own, "ls ..; find . -name '*.lock' -o -name 'tmp_*'"), "0.git\nborrowed\nworkspace.json");
}

#[tokio::test]
async fn a_second_preparation_of_a_session_begins_anew() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let first = fixture.prepare("s1", &repository_source(&repository)).await;
    run(&first.work_tree(), "echo b > b");
    let second = fixture.prepare("s1", &repository_source(&repository)).await;
    assert!(changed(&second.collect().await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_session_name_cannot_leave_the_folder_of_sessions() {
    let fixture = Fixture::new();
    for session in ["", "..", "a/b", "-x", "a b", "a\n", ".hidden"] {
        assert!(fixture.workspaces.prepare("t", session, &WorkspaceSource::default()).await.is_err(), "{session}");
        assert!(fixture.workspaces.remove(session).await.is_err(), "{session}");
    }
    assert!(sessions(&fixture).is_empty());
}
