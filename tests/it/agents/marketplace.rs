//! The marketplace: what tenants offer to each other, and what becomes of work when an offer is withdrawn.

use futures_util::future::join_all;
use harness::{Caller, Tenant, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{agents::registry::Liveness, identity::auth::Role, platform::queue::job::Job};

use super::registry::{AGENTS, UNKNOWN, all, id, place, waiting_for};

const MARKET: &str = "/api/v1/marketplace";

/// A publisher, a consumer, and an agent of the publisher's that works.
struct Setup {
    world: TestApp,
    owner: Superuser,
    consumer: Tenant,
    publisher: Caller,
    lead: Caller,
    agent: String,
}

impl Setup {
    async fn new() -> Self {
        let world = TestApp::new().await;
        let owner = world.superuser().await;
        let consumer = world.another_tenant().await;
        let agent = world.agent(&owner, &world.tenant, "offered", "").await;
        let (publisher, lead) = (world.caller(Role::Lead), world.caller_of(&consumer, Role::Lead));
        Self { world, owner, consumer, publisher, lead, agent }
    }

    fn member(&self) -> Caller {
        self.world.caller_of(&self.consumer, Role::Member)
    }

    fn share_of(&self, whom: &str) -> String {
        format!("{AGENTS}/{}/shares/{whom}", self.agent)
    }

    fn listing(&self) -> String {
        format!("{MARKET}/{}", self.agent)
    }

    async fn share(&self, whom: &str) {
        self.publisher.send("PUT", &self.share_of(whom), None).await.expect(200);
    }

    async fn enable(&self) {
        self.share(&self.consumer.slug).await;
        self.lead.send("PUT", &self.listing(), None).await.expect(200);
    }

    async fn unshare(&self, whom: &str) {
        assert_eq!(self.publisher.delete(&self.share_of(whom)).await.status, 204);
    }
}

fn waits(ms: i64) -> Value {
    json!({"agent_config": {"agent": "offered", "script": [{"do": "wait", "ms": ms}]}})
}

#[tokio::test]
async fn an_offered_agent_gets_sessions_only_after_the_tenant_enables_it() {
    let setup = Setup::new().await;
    let member = setup.member();
    setup.lead.get(&setup.listing()).await.problem(404, "AGENT_NOT_FOUND");
    setup.share(&setup.consumer.slug).await;
    let listing = setup.lead.get(&setup.listing()).await.expect(200);
    assert_eq!((&listing["enabled"], &listing["publisher"]["name"]), (&json!(false), &json!("A tenant")));
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "agent_config": {"agent": "offered"}});
    member.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
    setup.lead.get(&format!("{AGENTS}/{}", setup.agent)).await.problem(404, "AGENT_NOT_FOUND");
    for _ in 0..2 {
        assert_eq!(setup.lead.send("PUT", &setup.listing(), None).await.expect(200)["enabled"], true);
    }
    let shown = setup.lead.get(&format!("{AGENTS}/{}", setup.agent)).await.expect(200);
    assert_eq!((&shown["owner"], &shown["publisher"]), (&json!("shared"), &json!("A tenant")));
    for field in ["endpoint_url", "metadata", "created_by"] {
        assert!(shown.get(field).is_none(), "{field}");
    }
    setup
        .lead
        .patch(&format!("{AGENTS}/{}", setup.agent), json!({"capacity": 1}))
        .await
        .problem(403, "AGENT_NOT_OWNED");
    let session = member.start_session(waits(0)).await;
    let done = member.reaches(&session, &["completed"]).await;
    assert_eq!(done["agent"]["id"], setup.agent);
    let audit = setup.lead.get("/api/v1/audit?object_kind=agent").await.expect(200);
    assert_eq!(all(&audit, "action"), ["agent.enable"], "once, though it was asked for twice");
    let audit = setup.publisher.get("/api/v1/audit?object_kind=agent").await.expect(200);
    assert_eq!(all(&audit, "action"), ["agent.share"]);
}

#[tokio::test]
async fn a_withdrawn_offer_is_gone_at_once_while_running_sessions_finish() {
    let setup = Setup::new().await;
    let member = setup.member();
    setup.enable().await;
    let (short, long) = (member.start_session(waits(1000)).await, member.start_session(waits(600_000)).await);
    for session in [&short, &long] {
        member.reaches(session, &["running"]).await;
    }
    setup.unshare(&setup.consumer.slug).await;
    setup.lead.get(&setup.listing()).await.problem(404, "AGENT_NOT_FOUND");
    setup.lead.send("PUT", &setup.listing(), None).await.problem(404, "AGENT_NOT_FOUND");
    setup.lead.get(&format!("{AGENTS}/{}", setup.agent)).await.problem(404, "AGENT_NOT_FOUND");
    assert_eq!(setup.owner.number("select count(*) from agent_enablements").await, 0);
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "agent_config": {"agent": setup.agent}});
    member.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(member.session(&long).await["status"], "running");
    member.reaches(&short, &["completed"]).await;
    member.act(&format!("/sessions/{long}/stop")).await.expect(202);
    member.reaches(&long, &["stopped"]).await;
}

#[tokio::test]
async fn a_session_queued_for_a_withdrawn_agent_by_name_fails_and_never_starts() {
    let setup = Setup::new().await;
    let (member, theirs) = (setup.member(), setup.world.caller(Role::Member));
    setup.enable().await;
    setup.owner.run("update agents set capacity = 1 where name = 'offered'").await;
    let working = theirs.start_session(waits(600_000)).await;
    theirs.reaches(&working, &["running"]).await;
    let named = member.start_session(waits(0)).await;
    member.reaches(&named, &["queued"]).await;
    setup.unshare(&setup.consumer.slug).await;
    let reported = member.reaches(&named, &["failed"]).await;
    assert_eq!(reported["outcome"]["error"]["code"], "AGENT_GONE");
    assert_eq!(theirs.session(&working).await["status"], "running", "the publisher's own work goes on");
    // Also one that came to wait for it afterwards, such as one that is resumed.
    let late = waiting_for(&member, &setup.owner, &setup.agent, Some("offered")).await;
    let unnamed = waiting_for(&member, &setup.owner, &setup.agent, None).await;
    setup
        .owner
        .run(&format!(
            "update sessions set handover = '{{\"from\": \"resume\", \"ask\": true}}' where id = '{unnamed}'"
        ))
        .await;
    setup.world.run(Job::reconcile()).await;
    assert_eq!(member.session(&late).await["outcome"]["error"]["code"], "AGENT_GONE");
    let went = member.reaches(&unnamed, &["completed", "running"]).await;
    assert_ne!(went["agent"]["id"], setup.agent, "it named none, and goes on elsewhere");
}

#[tokio::test]
async fn a_tenant_that_disables_an_agent_gets_nothing_new_on_it_and_can_enable_it_again() {
    let setup = Setup::new().await;
    let member = setup.member();
    setup.enable().await;
    for _ in 0..2 {
        assert_eq!(setup.lead.delete(&setup.listing()).await.status, 204);
    }
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "agent_config": {"agent": "offered"}});
    member.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(setup.lead.get(&setup.listing()).await.expect(200)["enabled"], false);
    setup.lead.send("PUT", &setup.listing(), None).await.expect(200);
    let session = member.start_session(waits(0)).await;
    member.reaches(&session, &["completed"]).await;
    member.send("PUT", &setup.listing(), None).await.problem(403, "FORBIDDEN");
    member.delete(&setup.listing()).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn an_agent_that_is_not_offered_cannot_be_enabled_and_is_answered_as_an_unknown_one() {
    let setup = Setup::new().await;
    let somebody = setup.world.another_tenant().await;
    setup.share(&somebody.slug).await;
    let words = |problem: &Value, id: &str| problem["detail"].as_str().unwrap().replace(id, "<id>");
    for method in ["GET", "PUT", "DELETE"] {
        let foreign = setup.lead.send(method, &setup.listing(), None).await.problem(404, "AGENT_NOT_FOUND");
        let unknown =
            setup.lead.send(method, &format!("{MARKET}/{UNKNOWN}"), None).await.problem(404, "AGENT_NOT_FOUND");
        assert_eq!(words(&foreign, &setup.agent), words(&unknown, UNKNOWN));
        setup.publisher.send(method, &setup.listing(), None).await.problem(404, "AGENT_NOT_FOUND");
    }
    assert_eq!(setup.lead.get(MARKET).await.expect(200)["items"], json!([]));
    assert_eq!(setup.publisher.get(MARKET).await.expect(200)["items"], json!([]), "one's own is no offer to oneself");
    assert_eq!(setup.owner.number("select count(*) from agent_enablements").await, 0);
}

#[tokio::test]
async fn a_share_is_answered_alike_whether_or_not_the_tenant_exists() {
    let setup = Setup::new().await;
    let named = [setup.consumer.slug.as_str(), "nobody-at-all", UNKNOWN, "all"];
    let mut reported = Vec::new();
    for whom in named {
        let mut first = setup.publisher.send("PUT", &setup.share_of(whom), None).await.expect(200);
        assert_eq!(setup.publisher.send("PUT", &setup.share_of(whom), None).await.expect(200), first);
        assert_eq!(first["tenant"], whom);
        first["tenant"] = json!(null);
        first["created_at"] = json!(null);
        reported.push(first);
    }
    assert!(reported.windows(2).all(|two| two[0] == two[1]));
    let shares = setup.publisher.get(&format!("{AGENTS}/{}/shares", setup.agent)).await.expect(200);
    let mut expected = named.map(|whom| json!(whom)).to_vec();
    expected.sort_by_key(|whom| whom.as_str().unwrap().to_owned());
    let mut listed = all(&shares, "tenant");
    listed.sort_by_key(|whom| whom.as_str().unwrap().to_owned());
    assert_eq!(listed, expected);
    for whom in named {
        setup.unshare(whom).await;
        setup.unshare(whom).await;
    }
    let audit = setup.publisher.get("/api/v1/audit?object_kind=agent").await.expect(200);
    assert_eq!(all(&audit, "action"), [["agent.unshare"; 4], ["agent.share"; 4]].concat());
    for wrong in ["A", "ALL", "a%20b", "%27%3B--", "x"] {
        setup.publisher.send("PUT", &setup.share_of(wrong), None).await.problem(422, "VALIDATION_FAILED");
    }
    let own = setup.share_of(&setup.world.tenant.slug);
    setup.publisher.send("PUT", &own, None).await.problem(422, "VALIDATION_FAILED");
    setup.world.caller(Role::Member).send("PUT", &setup.share_of("all"), None).await.problem(403, "FORBIDDEN");
    setup.lead.send("PUT", &setup.share_of("all"), None).await.problem(404, "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn an_offer_to_all_and_one_by_name_stand_beside_each_other() {
    let setup = Setup::new().await;
    setup.enable().await;
    setup.share("all").await;
    setup.unshare(&setup.consumer.slug).await;
    assert_eq!(setup.lead.get(&setup.listing()).await.expect(200)["enabled"], true, "it is still offered to all");
    setup.share(&setup.consumer.id.to_string()).await;
    setup.unshare("all").await;
    assert_eq!(setup.lead.get(&setup.listing()).await.expect(200)["enabled"], true, "it is still offered by id");
    setup.unshare(&setup.consumer.slug).await;
    setup.lead.get(&setup.listing()).await.problem(404, "AGENT_NOT_FOUND");
    let nobody = setup.world.another_tenant().await;
    setup.world.caller_of(&nobody, Role::Viewer).get(&setup.listing()).await.problem(404, "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn concurrent_enabling_and_withdrawing_never_leave_an_unoffered_agent_enabled() {
    let setup = Setup::new().await;
    for _ in 0..10 {
        setup.share(&setup.consumer.slug).await;
        let (listing, share) = (setup.listing(), setup.share_of(&setup.consumer.slug));
        let enabling = join_all((0..4).map(|_| setup.lead.send("PUT", &listing, None)));
        futures_util::join!(enabling, setup.publisher.delete(&share));
        assert_eq!(setup.owner.number("select count(*) from agent_enablements").await, 0);
    }
}

#[tokio::test]
async fn a_deregistered_agent_takes_its_offers_along() {
    let setup = Setup::new().await;
    setup.enable().await;
    setup.share("all").await;
    assert_eq!(setup.publisher.delete(&format!("{AGENTS}/{}", setup.agent)).await.status, 204);
    setup.lead.get(&setup.listing()).await.problem(404, "AGENT_NOT_FOUND");
    for table in ["agent_shares", "agent_enablements"] {
        assert_eq!(setup.owner.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_listing_shows_measurements_and_availability_but_never_the_endpoint() {
    let setup = Setup::new().await;
    setup.share("all").await;
    let secret = "update agents set endpoint_url = 'https://secret.example.com/x', metadata = '{\"secret-team\": 1}', finished = 10,
        result_tenants = 2, succeeded = 8, cost_micros_sum = 4000000, quality_sum = 1, quality_count = 1 where name = 'offered'";
    setup.owner.run(secret).await;
    let results = "insert into agent_results (tenant_id, session_id, run, agent_id, success, duration_ms, cost_micros, tokens, capabilities, at)
        select s.tenant_id, s.id, n, a.id, 1, n * 100, 1, 1, '{}', now() from agents a, sessions s, generate_series(1, 100) n where a.name = 'offered'";
    setup.world.caller(Role::Member).new_session(json!({})).await;
    setup.owner.run(results).await;
    let listing = setup.lead.get(&setup.listing()).await.expect(200);
    for (field, value) in [("cost_per_success_usd", "0.500000"), ("tier", "competent"), ("availability", "available")] {
        assert_eq!(listing[field], value, "{field}");
    }
    assert_eq!((&listing["success"]["rate"], &listing["success"]["finished"]), (&json!(0.8), &json!(10)));
    let interval = &listing["success"]["interval"];
    let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
    assert!((0.48..0.50).contains(&low) && (0.94..0.95).contains(&high), "{interval}");
    assert_eq!(
        (listing["p50_duration_ms"].as_f64(), listing["p95_duration_ms"].as_f64()),
        (Some(5050.0), Some(9505.0))
    );
    assert!(!listing.to_string().contains("secret"), "{listing}");
    assert!(listing.get("metadata").is_none() && listing.get("endpoint_url").is_none(), "{listing}");
    for (set, availability) in [
        ("capacity = 1, reported_status = 'busy'", "available"),
        ("reported_status = 'degraded'", "unavailable"),
        ("reported_status = null, state = 'maintenance'", "unavailable"),
        ("state = 'active', breaker_opened_at = now()", "unavailable"),
        (&format!("breaker_opened_at = null, liveness = '{}'", Liveness::Suspect.name()), "unavailable"),
    ] {
        setup.owner.run(&format!("update agents set {set} where name = 'offered'")).await;
        assert_eq!(setup.lead.get(&setup.listing()).await.expect(200)["availability"], availability, "{set}");
    }
}

#[tokio::test]
async fn the_marketplace_list_can_be_filtered_sorted_and_paged_completely() {
    let setup = Setup::new().await;
    let mut places = vec![format!("{AGENTS}/{}", setup.agent)];
    for name in ["a", "b", "c", "d"] {
        places.push(place(&setup.publisher, name).await);
    }
    for (at, place) in places.iter().enumerate() {
        setup.publisher.send("PUT", &format!("{place}/shares/all"), None).await.expect(200);
        let (finished, cost) = (at * 10, (5 - at) * 1_000_000);
        let sql = format!(
            "update agents set result_tenants = 2, finished = {finished}, succeeded = {finished}, cost_micros_sum = {cost} where id = '{}'",
            id(place)
        );
        setup.owner.run(&sql).await;
    }
    setup.owner.run("update agents set skills = '{rust}', capabilities = '{debugging}', description = 'Finds 50% of_it' where name = 'b'").await;
    let names = async |query: &str| all(&setup.lead.get(&format!("{MARKET}?{query}")).await.expect(200), "name");
    assert_eq!(names("").await, ["d", "c", "b", "a", "offered"], "the more is known of its success the better");
    assert_eq!(names("sort=cost").await, ["d", "c", "b", "a", "offered"]);
    assert_eq!(names("skill=rust").await, ["b"]);
    assert_eq!(names("capability=debugging,deployment").await, ["b"]);
    assert_eq!(names("q=50%25%20OF_").await, ["b"]);
    assert_eq!(names("enabled=true").await, Vec::<Value>::new());
    setup.lead.send("PUT", &setup.listing(), None).await.expect(200);
    assert_eq!(names("enabled=true").await, ["offered"]);
    for sort in ["success", "cost", "p50"] {
        let paged = setup.lead.all_pages(&format!("{MARKET}?limit=2&sort={sort}"), "name").await;
        assert_eq!(paged, names(&format!("sort={sort}")).await, "{sort}");
        assert_eq!(paged.len(), 5);
    }
    let wrong =
        ["sort=best", "cursor=x", "cursor=1_x", "capability=x", "skill=A", "enabled=maybe", "limit=0", "a=b", "q=%00"];
    setup.lead.cannot_query(MARKET, &wrong).await;
}
