//! The stories that sessions play while something goes wrong, and what must be true of each in the end.

use std::time::Duration;

use harness::{Caller, PATIENCE, TestApp};
use serde_json::{Value, json};
use shared::platform::redis::lock::Resource;
use tokio::time::{Instant, sleep};

/// The tokens that each story spends.
pub(super) const TOKENS: i64 = 1100;

/// A question in the middle, files on both sides of it, tokens twice.
pub(super) fn asking() -> Value {
    json!([
        {"do": "say", "text": "I begin."},
        {"do": "write", "path": "a.txt", "content": "1\n"},
        {"do": "spend", "tokens_input": 900, "tokens_output": 100, "cost_micros": 2200},
        {"do": "ask", "question_id": "q1", "kind": "input", "text": "Which colour?"},
        {"do": "write", "path": "b.txt", "content": "2\n"},
        {"do": "spend", "tokens_input": 100, "cost_micros": 300},
        {"do": "say", "text": "Done."},
    ])
}

/// One of several: a question, a pause of the provider's, a failure of the moment, or nothing but work; each takes
/// time.
pub(super) fn one_of_many(n: usize) -> Value {
    let middle = match n % 4 {
        0 => json!({"do": "ask", "question_id": "q1", "kind": "input", "text": "Which colour?"}),
        1 => json!({"do": "limit", "seconds": 0}),
        2 => json!({"do": "fail", "category": "transient", "message": "a moment"}),
        _ => json!({"do": "wait", "ms": 60}),
    };
    json!([
        {"do": "say", "text": "I begin."},
        {"do": "wait", "ms": 40},
        {"do": "write", "path": "a.txt", "content": "1\n", "ms": 30},
        {"do": "spend", "tokens_input": 900, "tokens_output": 100, "cost_micros": 2200},
        middle,
        {"do": "write", "path": "b.txt", "content": "2\n", "ms": 30},
        {"do": "spend", "tokens_input": 100, "cost_micros": 300},
        {"do": "say", "text": "Done."},
    ])
}

/// Waits until all sessions are over, and answers what they ask. Says how the most ran at once.
pub(super) async fn over(caller: &Caller, ids: &[String]) -> usize {
    let late = Instant::now() + PATIENCE;
    let mut most = 0;
    loop {
        let reply = caller.get("/sessions?limit=100").await;
        if reply.status == 200 {
            let page = reply.json();
            let items = page["items"].as_array().unwrap();
            let running = items.iter().filter(|one| one["status"] == "running" || one["status"] == "degraded");
            most = most.max(running.count());
            let ours: Vec<_> = items.iter().filter(|one| ids.iter().any(|id| one["id"] == **id)).collect();
            if ours.len() == ids.len() && ours.iter().all(|one| is_over(one)) {
                return most;
            }
            for one in ours.iter().filter(|one| one["pause_reason"] == "input") {
                answer(caller, one["id"].as_str().unwrap()).await;
            }
            assert!(Instant::now() < late, "not over: {:#?}", ours.iter().find(|one| !is_over(one)));
        }
        assert!(Instant::now() < late, "the API does not come back: {reply:?}");
        sleep(Duration::from_millis(25)).await;
    }
}

pub(super) fn is_over(session: &Value) -> bool {
    !matches!(session["status"].as_str().unwrap(), "pending" | "queued" | "running" | "paused" | "degraded")
}

/// Answers the question of a story. An answer that came before, or that is not heard, is no matter.
pub(super) async fn answer(caller: &Caller, id: &str) {
    let answer = json!({"answer": {"question_id": "q1", "text": "Blue."}});
    let reply = caller.post(&format!("/sessions/{id}/messages"), answer).await;
    assert!(matches!(reply.status.as_u16(), 200..=202 | 409 | 503), "{reply:?}");
}

/// Checks a session that had to complete: each event once, nothing left behind.
pub(super) async fn right(world: &TestApp, caller: &Caller, id: &str) {
    let session = caller.session(id).await;
    assert_eq!(session["status"], "completed", "{session:#}");
    let events = caller.events(id).await;
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    let said = |text: &str| events.iter().filter(|event| event["payload"]["text"] == text).count();
    let files = |path: &str| {
        let changed = events.iter().filter(|event| event["type"] == "session.file_changed");
        changed.filter(|event| event["payload"]["path"] == path).count()
    };
    let reported = (count("session.completed"), count("session.failed"), said("I begin."), said("Done."));
    assert_eq!(reported, (1, 0, 1, 1), "{events:#?}");
    assert_eq!((files("a.txt"), files("b.txt")), (1, 1), "{events:#?}");
    assert_eq!(session["usage"]["cost_usd"], "0.002500", "{session:#}");
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"].as_array().unwrap().len(), 2, "{diff:#}");
    assert_eq!(session["checkpoint_count"].as_i64().unwrap(), {
        i64::try_from(count("session.checkpoint_created")).unwrap()
    });
    clean(world, id).await;
}

/// That a session which is over holds nothing any more.
pub(super) async fn clean(world: &TestApp, id: &str) {
    let session_id = id.parse().unwrap();
    let sql = "select s.lease_until is null and s.handover is null and s.intent is null and s.active_since is null
                      and s.ended_at is not null
                      and not exists (select 1 from session_messages m where m.tenant_id = s.tenant_id
                                      and m.session_id = s.id and m.delivered_at is null) as clean,
                      row_to_json(s)::text as row
               from sessions s where s.id = $1";
    let resource = Resource::session(world.tenant.id, session_id);
    let late = Instant::now() + PATIENCE;
    loop {
        let rows = world.app.db.read(world.tenant.id, sql, &[&session_id]).await.unwrap();
        let standing = world.app.locks.inspect(&resource, "").await.unwrap();
        if rows[0].get::<_, bool>("clean") && standing.holder.is_none() && standing.waiting == 0 {
            return;
        }
        // The lock of a dead holder lasts until its lease expires, and the row is due for cleanup.
        assert!(Instant::now() < late, "left behind: {standing:?} {}", rows[0].get::<_, String>("row"));
        sleep(Duration::from_millis(20)).await;
    }
}

/// That a tenant's slots are free and that it pays for so many stories, no more and no less.
pub(super) async fn counted(world: &TestApp, stories: usize) {
    let sql = "select (select count(*) from sessions where status in ('running', 'degraded', 'queued')) as open,
                      (select coalesce(sum(tokens), 0)::bigint from tenant_usage) as tokens";
    let rows = world.app.db.read(world.tenant.id, sql, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>("open"), 0);
    assert_eq!(rows[0].get::<_, i64>("tokens"), TOKENS * i64::try_from(stories).unwrap());
}

/// The content of an event, without the parts that differ between runs.
pub(super) fn gist(event: &Value) -> String {
    let mut payload = event["payload"].clone();
    if let Some(payload) = payload.as_object_mut() {
        for own in ["id", "at", "sha256"] {
            payload.remove(own);
        }
        // The id of a message that was sent.
        if payload.get("role").is_some_and(|role| role == "user") {
            payload.remove("part");
        }
    }
    format!("{} {payload}", event["type"].as_str().unwrap())
}
