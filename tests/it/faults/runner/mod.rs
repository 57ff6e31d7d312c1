//! What may go wrong at a runner, with the real `ioc-runner`, sandbox and agent: the session ends once, its events have
//! no gap, nothing is delivered twice, and nothing is left on the machine.

mod setup;

use std::{fs, io::Write, os::unix::fs::PermissionsExt};

use chrono::TimeDelta;
use harness::until;
use serde_json::json;
use shared::platform::queue::job::Job;

use setup::{Machine, kill_node};

#[tokio::test]
async fn a_killed_runner_leaves_no_agent_and_the_next_one_ends_its_session_once() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner().await;
    let id = machine.start_lasting_session().await;
    assert!(!machine.agent_processes().is_empty());
    runner.kill().await;
    machine.wait_for_no_agent().await;
    machine.set_lease(&id, "lease_until = now() - interval '1 second'").await;
    let before = machine.work_tree_birth(&id);
    let _runner = machine.start_runner().await;
    until(async || machine.work_tree_birth(&id).is_some_and(|birth| Some(birth) != before)).await;
    machine.wait_until_at_work(&id).await;
    machine.let_go(&id);
    machine.assert_completed_once(&id).await;
    machine.assert_nothing_left().await;
}

/// Without the end of its lease, which lasts as long as a runner may be silent.
#[tokio::test]
async fn a_runner_that_is_started_again_begins_its_sessions_anew_at_once() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner().await;
    let ids = [machine.start_lasting_session().await, machine.start_lasting_session().await];
    let before = ids.each_ref().map(|id| machine.work_tree_birth(id));
    runner.kill().await;
    for id in &ids {
        machine.set_lease(id, "lease_until = now() + interval '1 hour'").await;
    }
    // At once: what the killed process left may be about to end.
    let mut runner = machine.start_runner().await;
    for (id, before) in ids.iter().zip(before) {
        until(async || machine.work_tree_birth(id).is_some_and(|birth| Some(birth) != before)).await;
        machine.wait_until_at_work(id).await;
        machine.let_go(id);
        machine.assert_completed_once(id).await;
    }
    machine.assert_nothing_left().await;
    assert!(runner.is_running());
    // Nothing that is over is reclaimed.
    runner.kill().await;
    let _runner = machine.start_runner().await;
    let next = machine.start_session(&[json!({"text": "all is done"})]).await;
    machine.assert_one_completion(&next).await;
    for id in &ids {
        assert_eq!(machine.caller.states(id).await.iter().filter(|state| *state == "running").count(), 1);
    }
    machine.assert_nothing_left().await;
}

#[tokio::test]
async fn a_machine_that_is_restarted_removes_what_was_left_and_begins_its_sessions_anew() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner().await;
    let id = machine.start_lasting_session().await;
    let before = machine.work_tree_birth(&id);
    runner.cut_power().await;
    machine.wait_for_no_agent().await;
    machine.set_lease(&id, "lease_until = now() + interval '1 hour'").await;
    let data = machine.data();
    assert!(data.join("runs").join(&id).join("model.sock").exists(), "a socket that nobody serves");
    // What else may be half-made.
    for folder in ["runs/half/home/locked", "sessions/half/work/.git", "mirrors/half/1.part/objects"] {
        fs::create_dir_all(data.join(folder)).unwrap();
    }
    fs::set_permissions(data.join("runs/half/home/locked"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::write(data.join("runner.new"), "{").unwrap();
    let mut runner = machine.start_runner().await;
    until(async || machine.work_tree_birth(&id).is_some_and(|birth| Some(birth) != before)).await;
    machine.wait_until_at_work(&id).await;
    machine.let_go(&id);
    machine.assert_completed_once(&id).await;
    assert_eq!(machine.count_results().await, 1);
    machine.assert_nothing_left().await;
    assert!(!data.join("mirrors/half/1.part").exists());
    assert!(runner.is_running());
}

/// The leases of the runner seem to have ended, and the runner to have been silent. It measures time by itself.
#[tokio::test]
async fn a_jump_of_the_control_planes_clock_ends_each_session_once() {
    for is_reconciled in [false, true] {
        let machine = Machine::with_own_clock().await;
        let mut runner = machine.start_runner().await;
        let id = machine.start_lasting_session().await;
        machine.world.app.clock.advance(TimeDelta::hours(1));
        if is_reconciled {
            machine.world.run(Job::reconcile()).await;
        }
        until(async || {
            machine.let_go_if_at_work(&id);
            ["completed", "failed"].contains(&machine.caller.session(&id).await["status"].as_str().unwrap())
        })
        .await;
        machine.assert_completed_once(&id).await;
        assert_eq!(machine.count_results().await, 1);
        machine.assert_nothing_left().await;
        assert!(runner.is_running());
        let next = machine.start_session(&[json!({"text": "all is done"})]).await;
        machine.assert_one_completion(&next).await;
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_whenever_it_starts_fails_its_session_once() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner().await;
    let id = machine.start_lasting_session().await;
    until(async || {
        kill_node(runner.id());
        ["completed", "failed"].contains(&machine.caller.session(&id).await["status"].as_str().unwrap())
    })
    .await;
    let session = machine.caller.session(&id).await;
    assert_eq!(session["status"], "failed", "{session:#}");
    assert!(session["outcome"]["error"].to_string().contains("AGENT_EXITED"), "{session:#}");
    let states = machine.caller.states(&id).await;
    assert_eq!(states.iter().filter(|state| *state == "failed").count(), 1, "{states:?}");
    machine.assert_nothing_left().await;
    assert!(runner.is_running());
    let next = machine.start_lasting_session().await;
    machine.let_go(&next);
    machine.assert_completed_once(&next).await;
}

#[tokio::test]
async fn a_control_plane_that_is_out_of_reach_for_a_while_loses_nothing() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner().await;
    let id = machine.start_lasting_session().await;
    machine.way.stall();
    machine.let_go(&id);
    machine.wait_for_no_agent().await;
    let meanwhile = machine.caller.session(&id).await;
    assert_eq!(meanwhile["status"], "running", "the end of the work cannot be known yet");
    machine.way.flow();
    machine.assert_completed_once(&id).await;
    machine.assert_nothing_left().await;
    assert!(runner.is_running());
}

#[tokio::test]
async fn an_outage_longer_than_a_lease_ends_the_agent_and_the_session_goes_on_after_it() {
    let machine = Machine::new().await;
    let mut runner = machine.start_impatient_runner().await;
    let id = machine.start_lasting_session().await;
    let before = machine.work_tree_birth(&id);
    machine.way.stall();
    machine.wait_for_no_agent().await;
    assert_eq!(machine.work_tree_birth(&id), before, "the work is kept");
    machine.way.flow();
    machine.assert_one_completion(&id).await;
    let events = machine.caller.events(&id).await;
    let outages = events.iter().filter(|event| event["payload"].to_string().contains("was out of reach")).count();
    assert_eq!(outages, 1, "its log says so");
    machine.assert_nothing_left().await;
    assert!(runner.is_running());
}

#[tokio::test]
async fn a_runner_whose_lease_went_to_another_ends_its_agent_and_delivers_nothing() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner().await;
    let id = machine.start_lasting_session().await;
    let before = machine.work_tree_birth(&id);
    machine.set_lease(&id, "lease_token = lease_token + 1, lease_until = now() + interval '1 hour'").await;
    machine.assert_nothing_left().await;
    let session = machine.caller.session(&id).await;
    assert_eq!(session["status"], "running", "it is the other one's: {session:#}");
    assert!(runner.is_running());
    // The other one is lost as well.
    machine.set_lease(&id, "lease_until = now() - interval '1 second'").await;
    until(async || machine.work_tree_birth(&id).is_some_and(|birth| Some(birth) != before)).await;
    machine.wait_until_at_work(&id).await;
    machine.let_go(&id);
    machine.assert_completed_once(&id).await;
    machine.assert_nothing_left().await;
}

/// The claim comes before the runner knows that its old lease is lost, because another session wakes it.
#[tokio::test]
async fn a_session_that_is_claimed_again_waits_for_the_end_of_its_old_work() {
    let machine = Machine::new().await;
    let _runner = machine.start_runner().await;
    let id = machine.start_lasting_session().await;
    let before = machine.work_tree_birth(&id);
    machine.set_lease(&id, "lease_token = lease_token + 1, lease_until = now() - interval '1 second'").await;
    let other = machine.start_session(&[json!({"text": "hello"})]).await;
    machine.caller.reaches(&other, &["completed"]).await;
    until(async || machine.work_tree_birth(&id).is_some_and(|birth| Some(birth) != before)).await;
    machine.wait_until_at_work(&id).await;
    machine.let_go(&id);
    machine.assert_completed_once(&id).await;
    machine.assert_nothing_left().await;
}

#[tokio::test]
async fn a_full_disk_fails_a_session_with_its_reason_and_the_runner_goes_on() {
    let machine = Machine::new().await;
    let mut runner = machine.start_runner_on_small_disk().await;
    // The data folder as the runner sees it.
    let data = machine.data();
    let disk = std::path::Path::new(&format!("/proc/{}/root", runner.id())).join(data.strip_prefix("/").unwrap());
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    let block = vec![0; 64 * 1024];
    while file.write_all(&block).is_ok() {}
    let full = machine.start_session(&[json!({"text": "hello"})]).await;
    let session = machine.caller.reaches(&full, &["completed", "failed"]).await;
    assert_eq!(session["status"], "failed", "{session:#}");
    assert!(session["outcome"]["error"].to_string().to_lowercase().contains("disk"), "{session:#}");
    drop(file);
    fs::remove_file(&filler).unwrap();
    let next = machine.start_session(&[json!({"text": "hello"})]).await;
    let session = machine.caller.reaches(&next, &["completed", "failed"]).await;
    assert_eq!(session["status"], "completed", "{session:#}");
    assert!(runner.is_running());
}
