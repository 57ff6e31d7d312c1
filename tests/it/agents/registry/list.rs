//! `GET /agents`: what a tenant sees of whom.

use harness::{TestApp, merged};
use serde_json::json;
use shared::identity::auth::Role;

use super::{AGENTS, all, id, named, place, running_on};

#[tokio::test]
async fn the_agent_list_pages_through_own_and_platform_agents_newest_first() {
    let world = TestApp::full().await;
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
async fn a_tenant_sees_no_owner_only_field_of_a_foreign_agent() {
    let world = TestApp::full().await;
    let platform = world.caller(Role::Admin).get(&format!("{AGENTS}?q=scripted")).await.expect(200)["items"][0].clone();
    assert_eq!(platform["owner"], "platform");
    for field in ["endpoint_url", "metadata", "created_by", "publisher"] {
        assert!(platform.get(field).is_none(), "{field}");
    }
    let place = format!("{AGENTS}/{}", platform["id"].as_str().unwrap());
    let lead = world.caller(Role::Lead);
    for reply in [lead.patch(&place, json!({"capacity": 1})).await, lead.delete(&format!("{place}?force=true")).await] {
        let problem = reply.problem(403, "AGENT_NOT_OWNED");
        assert!(problem["remedy"].as_str().unwrap().contains("admin"), "{problem}");
    }
}

#[tokio::test]
async fn the_agent_list_can_be_filtered_by_properties_and_performance() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    for (name, fields) in [
        ("first", json!({"skills": ["rust"], "description": "Knows 100% of_it"})),
        ("second", json!({"agent_type": "reviewer", "capabilities": ["code_review"]})),
    ] {
        lead.post(AGENTS, merged(named(name), fields)).await.expect(201);
    }
    let full = place(&lead, "full").await;
    owner.run("update agents set liveness = 'alive' where name in ('second', 'full')").await;
    owner.run("update agents set capacity = 1 where name = 'full'").await;
    owner.run("update agents set result_tenants = 2, finished = 10, succeeded = 8 where name = 'second'").await;
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
    lead.cannot_query(AGENTS, &["status=well", "kind=http", "capability=flying", "skill=A", "tier=best"]).await;
    lead.cannot_query(AGENTS, &["q=%00", "limit=0", "cursor=x", "a=b"]).await;
}

#[tokio::test]
async fn an_open_breaker_shows_since_when_and_allows_a_trial_after_ten_minutes() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let place = place(&lead, "broken").await;
    let stats =
        "insert into agent_tenant_stats (tenant_id, agent_id, breaker_finished, breaker_succeeded, breaker_opened_at)
                 select tenant_id, id, 7, 1, now() from agents where name = 'broken'";
    owner.run(stats).await;
    let breaker = &lead.get(&place).await.expect(200)["breaker"];
    assert!(breaker["opened_at"].is_string() && breaker["until"].is_string(), "{breaker}");
    let shown = (&breaker["state"], &breaker["cause"], &breaker["failures"]);
    assert_eq!(shown, (&json!("open"), &json!("work"), &json!(6)));
    let words = breaker["detail"].as_str().unwrap();
    assert!(words.starts_with("broken: paused after 6 failures of its work, next try "), "{words}");
    owner.run("update agent_tenant_stats set breaker_opened_at = now() - interval '11 minutes'").await;
    let breaker = &lead.get(&place).await.expect(200)["breaker"];
    assert_eq!((&breaker["state"], breaker.get("until")), (&json!("half_open"), None));
    owner
        .run("delete from agent_tenant_stats; update agents set breaker_opened_at = now(), breaker_failures = 15")
        .await;
    let breaker = &lead.get(&place).await.expect(200)["breaker"];
    assert_eq!((&breaker["state"], &breaker["failures"]), (&json!("open"), &json!(15)), "for all tenants");
}
