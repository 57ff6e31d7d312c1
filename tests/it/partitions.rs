//! Partitions of the events and of the audit log: created ahead, closed to everybody else, and droppable.

use chrono::{Datelike, Months, TimeDelta, TimeZone, Utc};
use harness::{Caller, Options, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{
    identity::{audit::store::drop_month, auth::Role},
    kernel::clock::{Clock, Time},
    platform::{
        postgres::{migrations, partitions::ensure_partitions},
        queue::job::Job,
    },
};

/// Partitions of a table, such as `session_events_y2031m05`.
async fn partitions_of(owner: &Superuser, table: &str) -> Vec<String> {
    let sql = format!(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = '{table}'::regclass order by 1"
    );
    owner.texts(&sql).await
}

fn partition(table: &str, time: Time) -> String {
    format!("{table}_y{:04}m{:02}", time.year(), time.month())
}

async fn three_changes(caller: &Caller) {
    let id = caller.new_session(json!({})).await;
    caller.patch(&format!("/sessions/{id}"), json!({"title": "Another title"})).await.expect(200);
    caller.act(&format!("/sessions/{id}/cancel")).await.expect(200);
}

async fn verdict(world: &TestApp) -> Value {
    world.caller(Role::Lead).get("/api/v1/audit/verify").await.expect(200)
}

/// A log of three entries in one month and three in a later one, and the clock in the later month.
async fn two_months() -> (TestApp, Clock) {
    let first = Utc.with_ymd_and_hms(2026, 8, 20, 12, 0, 0).unwrap();
    let clock = Clock::fixed(first);
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    ensure_partitions(&world.app.db, first).await.unwrap();
    three_changes(&world.caller(Role::Member)).await;
    clock.advance(TimeDelta::days(31));
    three_changes(&world.caller(Role::Member)).await;
    (world, clock)
}

async fn drop_first_month(world: &TestApp, clock: &Clock) {
    let owner = migrations::connect_owner(&world.database.owner_url).await.unwrap();
    let dropped = drop_month(&owner, "2026-08", clock.now(), true).await.unwrap();
    assert_eq!(dropped, [(world.tenant.id, 3)]);
}

#[tokio::test]
async fn every_partition_is_under_row_level_security_and_out_of_reach() {
    let world = TestApp::full().await;
    let (owner, app) = (world.superuser().await, Superuser::of(&world.database.url).await);
    app.run(&format!("set app.tenant_id = '{}'", world.tenant.id)).await;
    for table in ["session_events", "audit_entries"] {
        let partitions = partitions_of(&owner, table).await;
        assert!(partitions.len() >= 5, "the months ahead and the default: {partitions:?}");
        for name in partitions {
            let secured = format!(
                "select (relrowsecurity and relforcerowsecurity)::int::bigint from pg_class where oid = 'partitions.{name}'::regclass"
            );
            assert_eq!(owner.number(&secured).await, 1, "{name}");
            let read = format!("select * from partitions.{name}");
            assert_eq!(app.refusal(&read).await.as_deref(), Some("42501"), "{name}");
        }
    }
    let elsewhere = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                     where c.relispartition and c.relkind = 'r' and n.nspname <> 'partitions'";
    assert_eq!(owner.number(elsewhere).await, 0);
    for sql in
        ["select drop_audit_partition('2026-11-01')", "select * from audit_drop_month('2026-01-01', now(), true)"]
    {
        assert_eq!(app.refusal(sql).await.as_deref(), Some("42501"), "{sql}");
    }
}

#[tokio::test]
async fn the_reconciler_creates_the_partitions_of_the_months_ahead() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let owner = world.superuser().await;
    clock.advance(TimeDelta::days(400));
    functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
    for ahead in 0..4 {
        let month = clock.now().checked_add_months(Months::new(ahead)).unwrap();
        for table in ["session_events", "audit_entries"] {
            let (wanted, found) = (partition(table, month), partitions_of(&owner, table).await);
            assert!(found.contains(&wanted), "{wanted}: {found:?}");
        }
    }
    assert_eq!(ensure_partitions(&world.app.db, clock.now()).await.unwrap(), 0, "they are there");
}

#[tokio::test]
async fn rows_outside_of_all_partitions_are_kept_and_move_into_theirs_once_it_exists() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    let early = "0153f6b8-0000-7000-8000-000000000001";
    owner
        .run(&format!(
            "create temp table log as select * from session_events where session_id = '{id}';
             delete from session_events where session_id = '{id}';
             update sessions set id = '{early}', root_id = '{early}' where id = '{id}';
             update log set session_id = '{early}';
             insert into session_events select * from log"
        ))
        .await;
    let place = "select distinct tableoid::regclass::text from session_events";
    assert_eq!(owner.texts(place).await, ["partitions.session_events_default"]);
    let before = caller.get(&format!("/sessions/{early}/events")).await.expect(200);
    let then = Utc.timestamp_millis_opt(0x0153_f6b8_0000).unwrap();
    assert_eq!(ensure_partitions(&world.app.db, then).await.unwrap(), 8);
    assert_eq!(owner.texts(place).await, [format!("partitions.{}", partition("session_events", then))]);
    assert_eq!(caller.get(&format!("/sessions/{early}/events")).await.expect(200), before);
    assert!(!before["items"].as_array().unwrap().is_empty());
    caller.delete(&format!("/sessions/{early}")).await.expect(204);
    assert_eq!(owner.number("select count(*) from session_events").await, 0, "the log goes with its session");
}

#[tokio::test]
async fn a_read_by_session_opens_one_partition_and_a_read_by_position_sorts_nothing() {
    let world = TestApp::full().await;
    let id = world.caller(Role::Member).new_session(json!({})).await;
    let owner = world.superuser().await;
    let explain = async |sql: &str| owner.texts(&format!("explain (costs off) {sql}")).await.join("\n");
    let log = "select * from session_events where tenant_id = $1 and session_id = $2 and seq > 0 order by seq limit 10";
    owner.run(&format!("prepare log (uuid, uuid) as {log}; set enable_seqscan = off; set enable_sort = off")).await;
    let plan = explain(&format!("execute log ('{}', '{id}')", world.tenant.id)).await;
    assert_eq!(plan.matches(" on session_events").count(), 1, "{plan}");
    owner.run("set plan_cache_mode = force_generic_plan").await;
    let plan = explain(&format!("execute log ('{}', '{id}')", world.tenant.id)).await;
    assert!(plan.contains("Subplans Removed: 4") && plan.matches(" on session_events").count() == 1, "{plan}");
    let stream = format!(
        "select * from session_events where tenant_id = '{}' and (position, session_id, seq) > ('1'::xid8, '{id}', 1)
           and position < event_horizon() order by position, session_id, seq limit 10",
        world.tenant.id
    );
    let plan = explain(&stream).await;
    assert!(plan.contains("Merge Append") && !plan.contains("Sort\n") && !plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn the_audit_log_holds_after_a_month_was_dropped() {
    let (world, clock) = two_months().await;
    drop_first_month(&world, &clock).await;
    let verdict = verdict(&world).await;
    assert_eq!((verdict["intact"].as_bool(), verdict["entries"].as_i64()), (Some(true), Some(4)), "{verdict}");
    let list = world.caller(Role::Lead).get("/api/v1/audit").await.expect(200);
    let newest = &list["items"][0];
    assert_eq!((&newest["action"], &newest["seq"]), (&json!("audit.prune"), &json!(7)));
    assert_eq!(newest["after"], json!({"removed": 3, "month": "2026-08"}));
    // What retention removes afterwards takes the anchor along.
    world.superuser().await.run("update tenants set audit_retention_days = 30").await;
    clock.advance(TimeDelta::days(40));
    functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
    assert_eq!(world.superuser().await.number("select count(*) from audit_anchors").await, 0);
    assert_eq!(self::verdict(&world).await["intact"], true);
}

#[tokio::test]
async fn tampering_beside_a_dropped_month_is_found() {
    for (tampering, seq, finding) in [
        ("update audit_entries set action = 'session.start' where seq = 5", 5, "changed"),
        ("delete from audit_entries where seq = 4", 4, "removed"),
        ("update audit_anchors set last_hash = sha256('a')", 4, "changed"),
        ("update audit_anchors set previous_hash = sha256('a')", 1, "changed"),
        ("update audit_anchors set last_seq = 2", 3, "removed"),
        ("delete from audit_anchors", 1, "removed"),
        ("update audit_entries set month = '2026-10-01' where seq = 5", 6, "changed"),
        ("insert into audit_entries select tenant_id, 3, id, at, actor, action, object_kind, object_id, before, after,
              request_id, address, hash, '2026-08-01' from audit_entries where seq = 4", 3, "inserted"),
    ] {
        let (world, clock) = two_months().await;
        drop_first_month(&world, &clock).await;
        world.superuser().await.run(tampering).await;
        let verdict = verdict(&world).await;
        let breaks = verdict["breaks"].as_array().unwrap();
        assert!(breaks.contains(&json!({"seq": seq, "finding": finding})), "{tampering}: {verdict}");
        assert_eq!(verdict["intact"], false, "{tampering}");
    }
}

#[tokio::test]
async fn a_month_is_dropped_only_when_it_is_over_and_no_retention_keeps_it() {
    let (world, clock) = two_months().await;
    let owner = migrations::connect_owner(&world.database.owner_url).await.unwrap();
    let refusal = async |month: &str, ignore_retention: bool| {
        drop_month(&owner, month, clock.now(), ignore_retention).await.unwrap_err().to_string()
    };
    assert!(refusal("2026-09", true).await.contains("over"));
    assert!(refusal("2026-08", false).await.contains("retention"), "kept for ever");
    assert!(refusal("2026-07", true).await.contains("no partition"));
    world.superuser().await.run("update tenants set audit_retention_days = 30").await;
    assert!(refusal("2026-08", false).await.contains("retention"), "20 days old");
    world.superuser().await.run("delete from audit_entries where seq = 2").await;
    assert!(refusal("2026-08", true).await.contains("missing"), "an anchor would cover the gap");
    assert_eq!(verdict(&world).await["breaks"][0], json!({"seq": 2, "finding": "removed"}));
    let (world, clock) = two_months().await;
    world.superuser().await.run("update tenants set audit_retention_days = 30").await;
    clock.advance(TimeDelta::days(20));
    let owner = migrations::connect_owner(&world.database.owner_url).await.unwrap();
    assert_eq!(drop_month(&owner, "2026-08", clock.now(), false).await.unwrap(), [(world.tenant.id, 3)]);
}

#[tokio::test]
async fn the_month_of_an_entry_never_goes_back_whatever_the_clock_says() {
    let (world, clock) = two_months().await;
    clock.advance(TimeDelta::days(-31));
    three_changes(&world.caller(Role::Member)).await;
    clock.advance(TimeDelta::days(31));
    let months = "select seq || ' ' || month from audit_entries where seq in (3, 4, 9) order by seq";
    assert_eq!(world.superuser().await.texts(months).await, ["3 2026-08-01", "4 2026-09-01", "9 2026-09-01"]);
    drop_first_month(&world, &clock).await;
    assert_eq!(verdict(&world).await["intact"], true);
}

#[tokio::test]
async fn after_a_month_was_dropped_no_entry_can_be_added_to_it() {
    let (world, clock) = two_months().await;
    let quiet = world.another_tenant().await;
    let owner = world.superuser().await;
    clock.advance(TimeDelta::days(-31));
    three_changes(&world.caller_of(&quiet, Role::Member)).await;
    clock.advance(TimeDelta::days(31));
    let admin = migrations::connect_owner(&world.database.owner_url).await.unwrap();
    assert_eq!(drop_month(&admin, "2026-08", clock.now(), true).await.unwrap().len(), 2);
    clock.advance(TimeDelta::days(-31));
    three_changes(&world.caller_of(&quiet, Role::Member)).await;
    let late = "select count(*) from audit_entries where month < '2026-09-01'";
    assert_eq!(owner.number(late).await, 0);
    let check = world.caller_of(&quiet, Role::Lead).get("/api/v1/audit/verify").await.expect(200);
    assert_eq!((&check["intact"], &check["entries"]), (&json!(true), &json!(4)));
}

#[tokio::test]
async fn the_command_drops_a_month_and_says_why_it_does_not() {
    let (world, _clock) = two_months().await;
    let drop = async |month: &str, force: bool| {
        let mut command = tokio::process::Command::new(local::paths::root().unwrap().join("target/debug/ioc"));
        command.args(["audit", "drop-month", "--month", month]).env("DATABASE_URL", &world.database.owner_url);
        if force {
            command.arg("--ignore-retention");
        }
        let output = command.output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    };
    let (done, text) = drop("2026-08", false).await;
    assert!(!done && text.contains("retention"), "{text}");
    let (done, text) = drop("2026-08", true).await;
    assert!(done && text.contains(&world.tenant.id.to_string()) && text.contains("3 entries"), "{text}");
    assert_eq!(verdict(&world).await["intact"], true);
    assert!(!drop("August", true).await.0);
}
