//! Whose turn it is: priority, age, tenants and trees.

use chrono::TimeDelta;
use harness::{Options, Tenant, World, owner::Owner};
use serde_json::{Value, json};
use shared::{
    auth::Role,
    clock::Clock,
    sweep::sweep,
    tenant::{Limits, set_limits},
};

fn slots(most: i32) -> Limits {
    Limits { max_concurrent_sessions: most, ..Limits::default() }
}

/// A world without workers and without slots, whose clock stands still.
async fn standing() -> (World, Clock, Owner) {
    let clock = Clock::fixed(Clock::System.now());
    let world = World::idle(Options { clock: clock.clone(), limits: slots(0), ..Options::default() }).await;
    let owner = world.owner().await;
    (world, clock, owner)
}

async fn start(world: &World, tenant: &Tenant, title: &str, fields: Value) -> String {
    let mut body = json!({"title": title, "agent_config": {"agent": "scripted"}});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    world.caller_of(tenant, Role::Member).start_session(body).await
}

/// The titles in the order in which one slot after the other would take them.
async fn order(world: &World, owner: &Owner) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let waiting = owner.number("select count(*) from sessions where status = 'queued'").await;
    for most in 1..=i32::try_from(waiting).unwrap() {
        set_limits(&world.app, world.tenant.id, slots(most)).await.unwrap();
        sweep(&world.app).await.unwrap();
        let running = owner.texts("select title from sessions where status = 'running'").await;
        assert_eq!(running.len(), usize::try_from(most).unwrap(), "{running:?}");
        order.extend(running.into_iter().find(|title| !order.contains(title)));
    }
    order
}

#[tokio::test]
async fn the_more_urgent_goes_first_and_among_equals_the_older() {
    let (world, clock, owner) = standing().await;
    for (title, priority) in
        [("d", "deferred"), ("m1", "medium"), ("l", "low"), ("c", "critical"), ("m2", "medium"), ("h", "high")]
    {
        start(&world, &world.tenant, title, json!({"priority": priority})).await;
        clock.advance(TimeDelta::seconds(1));
    }
    let caller = world.caller(Role::Viewer);
    let list = caller.get("/sessions").await.expect(200);
    let place = |title: &str| {
        let items = list["items"].as_array().unwrap();
        items.iter().find(|one| one["title"] == title).unwrap()["queue"]["place"].as_i64().unwrap()
    };
    let expected = ["c", "h", "m1", "m2", "l", "d"];
    assert_eq!(expected.map(place), [1, 2, 3, 4, 5, 6]);
    assert_eq!(order(&world, &owner).await, expected);
}

#[tokio::test]
async fn ten_minutes_of_waiting_are_worth_one_step_of_priority() {
    let (world, clock, owner) = standing().await;
    start(&world, &world.tenant, "low, early", json!({"priority": "low"})).await;
    clock.advance(TimeDelta::minutes(10) - TimeDelta::milliseconds(1));
    start(&world, &world.tenant, "medium, just before", json!({"priority": "medium"})).await;
    let caller = world.caller(Role::Viewer);
    let first = async || {
        caller.get("/sessions?status=queued").await.expect(200)["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["queue"]["place"] == 1)
            .unwrap()["title"]
            .clone()
    };
    assert_eq!(first().await, "medium, just before");
    clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(first().await, "low, early");
    start(&world, &world.tenant, "high, now", json!({"priority": "high"})).await;
    assert_eq!(order(&world, &owner).await, ["high, now", "low, early", "medium, just before"]);
}

#[tokio::test]
async fn nobody_starves_behind_a_stream_of_critical_sessions() {
    let (world, clock, owner) = standing().await;
    start(&world, &world.tenant, "deferred", json!({"priority": "deferred"})).await;
    clock.advance(TimeDelta::minutes(40));
    for n in 0..3 {
        start(&world, &world.tenant, &format!("critical {n}"), json!({"priority": "critical"})).await;
    }
    assert_eq!(order(&world, &owner).await[0], "deferred");
}

#[tokio::test]
async fn fifty_waiting_sessions_of_one_tenant_do_not_hold_up_the_first_of_another() {
    let clock = Clock::fixed(Clock::System.now());
    let world = World::idle(Options { clock: clock.clone(), capacity: Some(1), ..Options::default() }).await;
    let other = world.another_tenant().await;
    let owner = world.owner().await;
    for n in 0..50 {
        start(&world, &world.tenant, &format!("many {n}"), json!({"priority": "critical"})).await;
    }
    clock.advance(TimeDelta::seconds(1));
    for n in 0..2 {
        start(&world, &other, &format!("few {n}"), json!({"priority": "deferred"})).await;
    }
    clock.advance(TimeDelta::seconds(1));
    let mut order = Vec::new();
    sweep(&world.app).await.unwrap();
    for _ in 0..6 {
        let running = owner
            .texts("select id::text || ' ' || tenant_id || ' ' || title from sessions where status = 'running'")
            .await;
        assert_eq!(running.len(), 1, "the agent takes one at once: {running:?}");
        let mut parts = running[0].splitn(3, ' ');
        let (id, tenant, title) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let tenant = if tenant == other.id.to_string() { &other } else { &world.tenant };
        order.push(title[..3].to_owned());
        let caller = world.caller_of(tenant, Role::Member);
        clock.advance(TimeDelta::seconds(1));
        caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    }
    println!("turns: {order:?}");
    let first_of_other = order.iter().position(|title| title == "few").expect("a turn of the other tenant");
    assert!(first_of_other <= 1, "{order:?}");
    assert_eq!(order.iter().filter(|title| *title == "few").count(), 2, "{order:?}");
}

#[tokio::test]
async fn one_after_the_other_the_children_of_a_root_do_not_hold_up_who_came_after_them() {
    let (world, clock, owner) = standing().await;
    set_limits(&world.app, world.tenant.id, slots(1)).await.unwrap();
    let caller = world.caller(Role::Member);
    let root = caller.new_session(json!({"title": "The root"})).await;
    for n in 0..5 {
        start(&world, &world.tenant, &format!("child {n}"), json!({"parent_id": root})).await;
    }
    clock.advance(TimeDelta::seconds(1));
    start(&world, &world.tenant, "alone", json!({})).await;
    clock.advance(TimeDelta::seconds(1));
    sweep(&world.app).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..6 {
        let running = owner.texts("select id::text || ' ' || title from sessions where status = 'running'").await;
        let (id, title) = running[0].split_once(' ').unwrap();
        order.push(title.to_owned());
        clock.advance(TimeDelta::seconds(1));
        caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    }
    assert_eq!(order, ["child 0", "alone", "child 1", "child 2", "child 3", "child 4"]);
}

#[tokio::test]
async fn the_children_of_one_root_take_turns_with_others_as_one() {
    let (world, clock, owner) = standing().await;
    let caller = world.caller(Role::Member);
    let root = caller.new_session(json!({"title": "The root"})).await;
    for n in 0..4 {
        start(&world, &world.tenant, &format!("child {n}"), json!({"parent_id": root})).await;
        clock.advance(TimeDelta::seconds(1));
    }
    start(&world, &world.tenant, "alone 0", json!({})).await;
    clock.advance(TimeDelta::seconds(1));
    start(&world, &world.tenant, "alone 1", json!({})).await;
    assert_eq!(order(&world, &owner).await[..4], ["child 0", "alone 0", "alone 1", "child 1"]);
}
