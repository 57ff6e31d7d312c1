//! Tenants, the people of them, and their keys.

mod deactivation;
mod key_lines;
mod keys;
mod me;
mod quotas;
mod removal;
mod rotation;
mod storage;
mod tenants;
mod usage_corrections;
mod users;

use harness::{Caller, Options, Tenant, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

/// An id that nothing has.
const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// Texts that try to become something else: a statement, a log line, a page, a path, a format.
const HOSTILE: [&str; 8] = [
    "'; drop table users; --",
    "Robert'); delete from tenants where ('1'='1",
    "\" or \"\"=\"",
    "%s%n${jndi:ldap://x}{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "2030-01-01 ERROR forged=true \\r\\n level=error",
    "\u{1f600} \u{5e8}\u{5d5}\u{5dc} \u{0434}",
];

/// A caller with the text of a key.
fn with_secret(world: &TestApp, tenant: &Tenant, secret: &str) -> Caller {
    let caller = world.nobody().with("authorization", &format!("Bearer {secret}"));
    caller.with("x-tenant-id", &tenant.slug)
}

/// A second process on the same database, with workers of its own.
async fn another_process(world: &TestApp) -> TestApp {
    let mut second = TestApp::on(world.database.clone(), Options::default()).await;
    second.work();
    second
}

/// Makes a person of the first tenant, and answers their id and them as a caller by a key of their own.
pub(crate) async fn person(world: &TestApp, role: Role) -> (String, Caller) {
    let admin = world.caller(Role::Admin);
    let email = format!("{}@example.org", shared::kernel::id::UserId::new());
    let body = json!({"email": email, "full_name": "A Person", "role": role.name()});
    let user = admin.post("/api/v1/users", body).await.expect(201);
    let id = user["id"].as_str().unwrap().to_owned();
    let key = admin.post("/api/v1/api-keys", json!({"name": "own", "user_id": id})).await.expect(201);
    (id, with_secret(world, &world.tenant, key["secret"].as_str().unwrap()))
}

/// The values of a field in a list.
fn all(list: &Value, field: &str) -> Vec<Value> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

/// The ids of a whole list, read page by page.
async fn pages(caller: &Caller, path: &str, size: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = caller.get(&format!("{path}{cursor}")).await.expect(200);
        let found = all(&page, "id");
        assert!(found.len() <= size);
        ids.extend(found.iter().map(|id| id.as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { return ids };
        cursor = format!("&cursor={next}");
    }
}
