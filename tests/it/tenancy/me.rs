//! `GET /me`: who calls, and what they may do.

use harness::{TestApp, openapi::guarded};
use serde_json::{Value, json};
use shared::identity::auth::{Role, scope::Area};

use super::{UNKNOWN, all, person, with_secret};

const ME: &str = "/api/v1/me";

#[tokio::test]
async fn a_tenant_key_reads_its_own_name_tenant_and_role() {
    let world = TestApp::full().await;
    for role in Role::ALL {
        let me = world.caller(role).without("x-tenant-id").get(ME).await.expect(200);
        assert_eq!(me["user"], Value::Null);
        assert_eq!(me["key"]["id"], world.tenant.key_id(role).to_string());
        assert!(world.tenant.key(role).starts_with(me["key"]["prefix"].as_str().unwrap()));
        assert_eq!(me["tenant"], json!({"id": world.tenant.id, "slug": world.tenant.slug, "name": "A tenant"}));
        assert_eq!((&me["role"], &me["scopes"]), (&json!(role.name()), &json!([])));
        assert!(!me.to_string().contains(world.tenant.key(role)), "no secret");
    }
}

#[tokio::test]
async fn a_persons_key_reads_who_that_is_and_has_no_more_rights_than_they() {
    let world = TestApp::full().await;
    let (id, lead) = person(&world, Role::Lead).await;
    let me = lead.get(ME).await.expect(200);
    assert_eq!((&me["user"]["id"], &me["role"]), (&json!(id), &json!("lead")));
    world.caller(Role::Admin).patch(&format!("/api/v1/users/{id}"), json!({"role": "viewer"})).await.expect(200);
    let me = lead.get(ME).await.expect(200);
    assert_eq!((&me["key"]["role"], &me["role"]), (&json!("lead"), &json!("viewer")));
    assert!(me["permissions"].as_array().unwrap().iter().all(|one| one.as_str().unwrap().ends_with(":read")));
}

#[tokio::test]
async fn an_admin_who_names_another_tenant_sees_that_tenant() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let me = world.caller(Role::Admin).with("x-tenant-id", &other.slug).get(ME).await.expect(200);
    assert_eq!(me["tenant"]["id"], other.id.to_string());
    assert_eq!(me["key"]["id"], world.tenant.key_id(Role::Admin).to_string());
}

#[tokio::test]
async fn a_narrowed_key_has_the_permissions_that_its_scopes_and_role_both_allow() {
    let world = TestApp::full().await;
    let scopes = json!(["audit:read", "sessions:write", "tenants:write"]);
    let body = json!({"name": "narrow", "role": "member", "scopes": scopes});
    let key = world.caller(Role::Lead).post("/api/v1/api-keys", body).await.expect(201);
    let me = with_secret(&world, &world.tenant, key["secret"].as_str().unwrap()).get(ME).await.expect(200);
    assert_eq!(me["scopes"], scopes);
    assert_eq!(me["permissions"], json!(["sessions:read", "sessions:write", "tenants:read"]));
}

/// For each area of this function and of sessions: what `permissions` says is what the endpoints do.
#[tokio::test]
async fn the_listed_permissions_are_those_that_the_endpoints_grant() {
    let world = TestApp::full().await;
    let areas = [Area::ApiKeys, Area::Audit, Area::Sessions, Area::Tenants, Area::Users];
    let operations = guarded();
    for role in Role::ALL {
        let caller = world.caller(role);
        let permitted = caller.get(ME).await.expect(200)["permissions"].clone();
        for area in areas {
            for write in [false, true] {
                let may = if write { "write" } else { "read" };
                let listed = permitted.as_array().unwrap().contains(&json!(format!("{}:{may}", area.name())));
                let mut allowed = false;
                // A ticket changes nothing of the sessions that are watched with it: whoever may read may have one.
                let of_area = operations.iter().filter(|one| {
                    Area::of_path(&one.path) == Some(area) && one.reads() != write && one.path != "/api/v1/live/tickets"
                });
                for one in of_area {
                    let reply = caller.send(&one.method, &one.path_of(UNKNOWN, UNKNOWN), one.body()).await;
                    // A key without a person owns no keys, but those with one may have some.
                    allowed |= reply.status != 403 || reply.json()["detail"].to_string().contains("no person");
                }
                assert_eq!(allowed, listed, "{} {}:{may}", role.name(), area.name());
            }
        }
    }
    let audit = world.caller(Role::Lead).get("/api/v1/users").await.expect(200);
    assert_eq!(all(&audit, "email"), ["ada@example.org"], "the writes were real ones");
}
