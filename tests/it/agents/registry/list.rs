//! `GET /agents`: what a tenant sees of whom.

use harness::World;
use serde_json::json;
use shared::auth::Role;

use super::{AGENTS, all, id, named, place, running_on};

#[tokio::test]
async fn a_list_holds_the_tenants_own_and_the_platforms_agents_newest_first_and_pages_through_all() {
    let world = World::full().await;
    let lead = world.caller(Role::Lead);
    let mut own = Vec::new();
    for at in 0..7 {
        own.push(json!(id(&place(&lead, &format!("own-{at}")).await)));
    }
    place(&world.caller_of(&world.another_tenant().await, Role::Lead), "theirs").await;
    let whole = world.caller(Role::Viewer).get(AGENTS).await.expect(200);
    own.reverse();
    assert_eq!(all(&whole, "id")[..7], own);
    let names = all(&whole, "name");
    assert_eq!(names.len(), 9, "{names:?}");
    assert!(names.contains(&json!("scripted")) && names.contains(&json!("manual")));
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = lead.get(&format!("{AGENTS}?limit=2{cursor}")).await.expect(200);
        paged.extend(all(&page, "id"));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all(&whole, "id"));
}

#[tokio::test]
async fn of_an_agent_that_is_not_its_own_a_tenant_learns_nothing_that_is_only_for_the_owner() {
    let world = World::full().await;
    let platform = world.caller(Role::Admin).get(&format!("{AGENTS}?q=scripted")).await.expect(200)["items"][0].clone();
    assert_eq!(platform["owner"], "platform");
    for field in ["endpoint_url", "metadata", "created_by", "publisher"] {
        assert!(platform.get(field).is_none(), "{field}");
    }
    let place = format!("{AGENTS}/{}", platform["id"].as_str().unwrap());
    let lead = world.caller(Role::Lead);
    for reply in [lead.patch(&place, json!({"capacity": 1})).await, lead.delete(&format!("{place}?force=true")).await] {
        reply.problem(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_list_can_be_narrowed_by_what_agents_are_and_by_how_they_do() {
    let world = World::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.owner().await);
    let mut body = named("first");
    body["skills"] = json!(["rust"]);
    body["description"] = json!("Knows 100% of_it");
    lead.post(AGENTS, body).await.expect(201);
    let mut body = named("second");
    body["agent_type"] = json!("reviewer");
    body["capabilities"] = json!(["code_review"]);
    lead.post(AGENTS, body).await.expect(201);
    let full = place(&lead, "full").await;
    owner.run("update agents set liveness = 'alive' where name in ('second', 'full')").await;
    owner.run("update agents set capacity = 1 where name = 'full'").await;
    owner.run("update agents set finished = 10, succeeded = 8 where name = 'second'").await;
    running_on(&world.caller(Role::Member), &owner, id(&full)).await;
    for (query, names) in [
        ("kind=eap", vec!["full", "second", "first"]),
        ("agent_type=reviewer", vec!["second"]),
        ("capability=code_review&kind=eap", vec!["second"]),
        ("capability=code_review,testing&kind=eap", vec!["full", "second", "first"]),
        ("skill=rust,python", vec!["first"]),
        ("q=FIRST", vec!["first"]),
        ("q=100%25%20of_", vec!["first"]),
        ("q=%25", vec!["first"]),
        ("status=offline", vec!["first"]),
        ("status=busy", vec!["full"]),
        ("status=busy,offline", vec!["full", "first"]),
        ("tier=competent", vec!["second"]),
        ("status=offline&tier=competent", vec![]),
    ] {
        assert_eq!(all(&lead.get(&format!("{AGENTS}?{query}")).await.expect(200), "name"), names, "{query}");
    }
    let busy = lead.get(&full).await.expect(200);
    assert_eq!(
        (&busy["tasks_in_progress"], &busy["load"], &busy["load_level"]),
        (&json!(1), &json!(1.0), &json!("critical"))
    );
    for query in
        ["status=well", "kind=http", "capability=flying", "skill=A", "tier=best", "q=%00", "limit=0", "cursor=x", "a=b"]
    {
        lead.get(&format!("{AGENTS}?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn an_open_breaker_says_since_when_and_lets_one_try_after_ten_minutes() {
    let world = World::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.owner().await);
    let place = place(&lead, "broken").await;
    owner.run("update agents set breaker_opened_at = now() where name = 'broken'").await;
    let breaker = &lead.get(&place).await.expect(200)["breaker"];
    assert!(breaker["state"] == "open" && breaker["opened_at"].is_string(), "{breaker}");
    owner.run("update agents set breaker_opened_at = now() - interval '11 minutes' where name = 'broken'").await;
    assert_eq!(lead.get(&place).await.expect(200)["breaker"]["state"], "half_open");
}
