//! Common beginnings and waits of tests.

use std::{panic::Location, time::Duration};

use serde_json::{Value, json};
use shared::{identity::tenants::TenantLimits, platform::queue::job::Job};

use crate::{Caller, Options, TestApp};

/// How long what has to come may take on a busy machine. A test that passes does not wait for it to end.
pub const PATIENCE: Duration = Duration::from_mins(2);

impl TestApp {
    /// A test app whose tenant has these limits.
    pub async fn limited(limits: TenantLimits) -> Self {
        Self::with(Options { limits, ..Options::default() }).await
    }

    /// A test app without workers whose tenant has no slot: started sessions stay queued.
    pub async fn full() -> Self {
        let limits = TenantLimits { max_concurrent_sessions: 0, ..TenantLimits::default() };
        Self::idle(Options { limits, ..Options::default() }).await
    }

    /// Does one job here and now.
    pub async fn run(&self, job: Job) {
        functions::jobs::run(&self.app, job).await.expect("the job is done");
    }
}

impl Caller {
    /// Makes a session that plays a script, and starts it.
    pub async fn run_script(&self, script: Value) -> String {
        self.start_session(json!({"agent_config": {"agent": "scripted", "script": script}})).await
    }

    /// Makes a session with these fields besides title and prompt, and starts it; answers its id.
    pub async fn start_session(&self, fields: Value) -> String {
        let mut body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "start": true});
        merge(&mut body, fields);
        self.post("/sessions", body).await.expect(201)["id"].as_str().expect("an id").to_owned()
    }

    pub async fn session(&self, id: &str) -> Value {
        self.get(&format!("/sessions/{id}")).await.expect(200)
    }

    /// Waits until a session is in one of these states, and answers it.
    #[track_caller]
    pub fn reaches<'a>(&'a self, id: &'a str, states: &'a [&'a str]) -> impl Future<Output = Value> + 'a {
        becomes(states, async || self.session(id).await)
    }

    /// Makes a session with these fields besides title and prompt; answers its id.
    pub async fn new_session(&self, fields: Value) -> String {
        let mut body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
        merge(&mut body, fields);
        self.post("/sessions", body).await.expect(201)["id"].as_str().expect("an id").to_owned()
    }

    /// Checks that a list refuses each of these queries.
    pub async fn cannot_query(&self, path: &str, queries: &[&str]) {
        for query in queries {
            self.get(&format!("{path}?{query}")).await.problem(422, "VALIDATION_FAILED");
        }
    }

    /// A field of every item of a list, read page by page; the path ends with a query.
    pub async fn all_pages(&self, path: &str, field: &str) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{cursor}")).await.expect(200);
            found.extend(page["items"].as_array().expect("items").iter().map(|item| item[field].clone()));
            let Some(next) = page["next_cursor"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    }

    /// The same caller with a header more, even of a name that is there.
    #[must_use]
    pub fn also(&self, name: &str, value: &str) -> Self {
        let mut more = self.clone();
        more.headers.push((name.to_owned(), value.to_owned()));
        more
    }

    /// All events of a session so far, checked to be without gaps.
    pub async fn events(&self, id: &str) -> Vec<Value> {
        self.log(&format!("/sessions/{id}")).await
    }

    /// All events of what stands at a path, checked to be without gaps.
    pub async fn log(&self, path: &str) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let page = self.get(&format!("{path}/events?limit=200&after={}", events.len())).await.expect(200);
            let items = page["items"].as_array().expect("items").clone();
            if items.is_empty() {
                break;
            }
            events.extend(items);
        }
        for (at, event) in events.iter().enumerate() {
            assert_eq!(event["seq"], at + 1, "a gap in the log: {event}");
        }
        events
    }

    /// The states that a session went through, from its events.
    pub async fn states(&self, id: &str) -> Vec<String> {
        let events = self.events(id).await;
        let changes = events.iter().filter(|event| event["type"] == "session.status_changed");
        changes.map(|event| event["payload"]["to"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until a session has an event of this type.
    pub async fn sees(&self, id: &str, event: &str) {
        until(async || self.events(id).await.iter().any(|one| one["type"] == event)).await;
    }
}

/// Waits for a condition, as long as [`PATIENCE`].
#[track_caller]
pub fn until(condition: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    found(async move || condition().await.then_some(()))
}

/// Looks until there is something, as long as [`PATIENCE`].
#[track_caller]
pub fn found<T>(look: impl AsyncFn() -> Option<T>) -> impl Future<Output = T> {
    let at = Location::caller();
    async move {
        let looked = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        looked.await.unwrap_or_else(|_| panic!("{at}: it never came to be"))
    }
}

/// Looks at something until its `status` is one of these, as long as [`PATIENCE`], and answers it.
#[track_caller]
pub fn becomes<'a>(states: &'a [&'a str], look: impl AsyncFn() -> Value + 'a) -> impl Future<Output = Value> + 'a {
    let at = Location::caller();
    async move {
        let late = tokio::time::Instant::now() + PATIENCE;
        loop {
            let seen = look().await;
            if states.iter().any(|state| seen["status"] == *state) {
                return seen;
            }
            assert!(tokio::time::Instant::now() < late, "{at}: it never became {states:?} but is {seen:#}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// An object with the fields of another added.
#[must_use]
pub fn merged(mut body: Value, fields: Value) -> Value {
    merge(&mut body, fields);
    body
}

pub(crate) fn merge(body: &mut Value, fields: Value) {
    if let (Value::Object(body), Value::Object(fields)) = (body, fields) {
        body.extend(fields);
    }
}
