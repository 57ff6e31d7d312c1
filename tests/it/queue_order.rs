//! Whose turn it is: priority, age, tenants and trees.

use chrono::TimeDelta;
use harness::{Options, Tenant, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{
    app::reconciler::reconcile,
    engine::tenant_update::set_tenant_limits,
    identity::{auth::Role, tenants::TenantLimits},
    kernel::clock::Clock,
    platform::queue::job::Job,
};

fn slots(most: i32) -> TenantLimits {
    TenantLimits { max_concurrent_sessions: most, ..TenantLimits::default() }
}

/// A test app without workers and slots, with a stopped clock.
async fn standing() -> (TestApp, Clock, Superuser) {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), limits: slots(0), ..Options::default() }).await;
    let owner = world.superuser().await;
    (world, clock, owner)
}

async fn start(world: &TestApp, tenant: &Tenant, title: &str, fields: Value) -> String {
    let mut body = json!({"title": title, "agent_config": {"agent": "scripted"}});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    world.caller_of(tenant, Role::Member).start_session(body).await
}

/// The titles in the order in which one slot after the other would take them.
async fn order(world: &TestApp, owner: &Superuser) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let waiting = owner.number("select count(*) from sessions where status = 'queued'").await;
    for most in 1..=i32::try_from(waiting).unwrap() {
        set_tenant_limits(&world.app, world.tenant.id, slots(most)).await.unwrap();
        reconcile(&world.app).await.unwrap();
        let running = owner.texts("select title from sessions where occupies_slot(status, offered_until)").await;
        assert_eq!(running.len(), usize::try_from(most).unwrap(), "{running:?}");
        order.extend(running.into_iter().find(|title| !order.contains(title)));
    }
    order
}

#[tokio::test]
async fn higher_priority_goes_first_and_among_equals_the_older_session() {
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
async fn ten_minutes_of_waiting_raise_the_priority_by_one_step() {
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
async fn fifty_waiting_sessions_of_one_tenant_do_not_delay_another_tenant() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), capacity: Some(1), ..Options::default() }).await;
    let other = world.another_tenant().await;
    let owner = world.superuser().await;
    for n in 0..50 {
        start(&world, &world.tenant, &format!("many {n}"), json!({"priority": "critical"})).await;
    }
    clock.advance(TimeDelta::seconds(1));
    for n in 0..2 {
        start(&world, &other, &format!("few {n}"), json!({"priority": "deferred"})).await;
    }
    clock.advance(TimeDelta::seconds(1));
    let mut order = Vec::new();
    reconcile(&world.app).await.unwrap();
    for _ in 0..6 {
        let running = owner
            .texts("select id::text || ' ' || tenant_id || ' ' || title from sessions where occupies_slot(status, offered_until)")
            .await;
        assert_eq!(running.len(), 1, "the agent takes one at once: {running:?}");
        let mut parts = running[0].splitn(3, ' ');
        let (id, tenant, title) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let tenant = if tenant == other.id.to_string() { &other } else { &world.tenant };
        order.push(title[..3].to_owned());
        let caller = world.caller_of(tenant, Role::Member);
        clock.advance(TimeDelta::seconds(1));
        world.run(Job::dispatch(tenant.id, id.parse().unwrap())).await;
        caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    }
    println!("turns: {order:?}");
    let first_of_other = order.iter().position(|title| title == "few").expect("a turn of the other tenant");
    assert!(first_of_other <= 1, "{order:?}");
    assert_eq!(order.iter().filter(|title| *title == "few").count(), 2, "{order:?}");
}

#[tokio::test]
async fn children_of_one_root_do_not_delay_sessions_that_arrived_later() {
    let (world, clock, owner) = standing().await;
    set_tenant_limits(&world.app, world.tenant.id, slots(1)).await.unwrap();
    let caller = world.caller(Role::Member);
    let root = caller.new_session(json!({"title": "The root"})).await;
    for n in 0..5 {
        start(&world, &world.tenant, &format!("child {n}"), json!({"parent_id": root})).await;
    }
    clock.advance(TimeDelta::seconds(1));
    start(&world, &world.tenant, "alone", json!({})).await;
    clock.advance(TimeDelta::seconds(1));
    reconcile(&world.app).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..6 {
        let running = owner
            .texts("select id::text || ' ' || title from sessions where occupies_slot(status, offered_until)")
            .await;
        let (id, title) = running[0].split_once(' ').unwrap();
        order.push(title.to_owned());
        clock.advance(TimeDelta::seconds(1));
        world.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
        caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    }
    assert_eq!(order, ["child 0", "alone", "child 1", "child 2", "child 3", "child 4"]);
}

#[tokio::test]
async fn children_of_one_root_share_one_place_in_the_rotation() {
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
