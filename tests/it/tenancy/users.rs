//! `/users`: the people of a tenant, and who may make of them what.

use futures_util::future::join_all;
use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{HOSTILE, UNKNOWN, all, pages, person};

const USERS: &str = "/api/v1/users";

fn new(email: &str, role: &str) -> Value {
    json!({"email": email, "full_name": "Ada Lovelace", "role": role})
}

#[tokio::test]
async fn a_user_is_created_read_changed_and_removed() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let reply = lead.post(USERS, new("Ada@Example.org", "member")).await;
    let place = reply.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(reply.headers["etag"], "\"1\"");
    let made = reply.expect(201);
    assert_eq!(
        (&made["email"], &made["role"], &made["is_active"]),
        (&json!("ada@example.org"), &json!("member"), &json!(true))
    );
    assert_eq!(lead.get(&place).await.expect(200), made);
    let body = json!({"full_name": "Ada King", "role": "viewer", "is_active": false, "email": "ada@king.example"});
    let changed = lead.with("if-match", "\"1\"").patch(&place, body.clone()).await.expect(200);
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&changed[field], value);
    }
    lead.with("if-match", "\"1\"").patch(&place, json!({"role": "member"})).await.problem(412, "VERSION_MISMATCH");
    assert_eq!(lead.delete(&place).await.status, 204);
    lead.get(&place).await.problem(404, "USER_NOT_FOUND");
    lead.delete(&place).await.problem(404, "USER_NOT_FOUND");
    let audit = lead.get("/api/v1/audit?object_kind=user").await.expect(200);
    assert_eq!(all(&audit, "action"), ["user.delete", "user.update", "user.create"]);
    assert_eq!(audit["items"][1]["before"]["role"], "member");
}

#[tokio::test]
async fn an_email_is_unique_in_its_tenant_regardless_of_case() {
    let world = TestApp::full().await;
    let (lead, other) = (world.caller(Role::Lead), world.another_tenant().await);
    lead.post(USERS, new("ada@example.org", "member")).await.expect(201);
    lead.post(USERS, new("ADA@example.ORG", "viewer")).await.problem(409, "ALREADY_EXISTS");
    let second = lead.post(USERS, new("bob@example.org", "member")).await.expect(201);
    let place = format!("{USERS}/{}", second["id"].as_str().unwrap());
    lead.patch(&place, json!({"email": "Ada@example.org"})).await.problem(409, "ALREADY_EXISTS");
    world.caller_of(&other, Role::Lead).post(USERS, new("ada@example.org", "member")).await.expect(201);
    let raced = join_all((0..8).map(|_| lead.post(USERS, new("race@example.org", "member")))).await;
    assert_eq!(raced.iter().filter(|reply| reply.status == 201).count(), 1);
}

#[tokio::test]
async fn an_invalid_request_is_refused_by_field_and_changes_nothing() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let made = lead.post(USERS, new("ada@example.org", "member")).await.expect(201);
    let place = format!("{USERS}/{}", made["id"].as_str().unwrap());
    let before = owner.dump().await;
    for (field, value) in [
        ("email", json!("ada")),
        ("email", json!(" bob@example.org")),
        ("email", json!("bob@example.org ")),
        ("email", json!("bob@example.org\n")),
        ("email", json!("b\u{43e}b@example.org")),
        ("email", json!("bob@example.org\0")),
        ("email", json!(7)),
        ("full_name", json!("")),
        ("full_name", json!("x".repeat(201))),
        ("full_name", json!("a\r\nb")),
        ("full_name", json!("\0")),
        ("role", json!("boss")),
        ("role", json!("Member")),
        ("role", json!("member ")),
        ("role", json!(2)),
        ("id", json!(UNKNOWN)),
        ("tenant_id", json!(UNKNOWN)),
    ] {
        let mut body = new("bob@example.org", "viewer");
        body[field] = value.clone();
        let problem = lead.post(USERS, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value}");
        let problem = lead.patch(&place, json!({field: value})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value}");
    }
    for query in ["role=boss", "is_active=1", "q=%00", "limit=201", "cursor=x", "name=a"] {
        lead.get(&format!("{USERS}?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn hostile_text_is_stored_and_returned_unchanged() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    for (at, text) in HOSTILE.iter().enumerate() {
        let body = json!({"email": format!("h{at}@example.org"), "full_name": text, "role": "viewer"});
        let made = lead.post(USERS, body).await.expect(201);
        assert_eq!(made["full_name"], *text);
        let q: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let listed = lead.get(&format!("{USERS}?q={q}")).await.expect(200);
        assert_eq!(all(&listed, "full_name"), [*text], "{text}");
    }
}

#[tokio::test]
async fn the_list_holds_every_user_once_newest_first_and_can_be_filtered() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let mut made = Vec::new();
    for (at, role) in ["viewer", "member", "lead", "admin", "viewer", "member", "member"].iter().enumerate() {
        let user = admin.post(USERS, new(&format!("u{at}@example.org"), role)).await.expect(201);
        made.push(user["id"].as_str().unwrap().to_owned());
    }
    admin.patch(&format!("{USERS}/{}", made[0]), json!({"is_active": false})).await.expect(200);
    world
        .caller_of(&world.another_tenant().await, Role::Lead)
        .post(USERS, new("x@example.org", "viewer"))
        .await
        .expect(201);
    let mut newest = made.clone();
    newest.reverse();
    assert_eq!(pages(&admin, &format!("{USERS}?limit=2"), 2).await, newest);
    let some = admin.get(&format!("{USERS}?role=viewer,lead&is_active=true")).await.expect(200);
    assert_eq!(all(&some, "id"), [json!(made[4]), json!(made[2])]);
    assert_eq!(all(&admin.get(&format!("{USERS}?q=U3@")).await.expect(200), "id"), [json!(made[3])]);
}

#[tokio::test]
async fn a_lead_manages_only_people_below_lead_and_promotes_nobody_to_lead() {
    let world = TestApp::full().await;
    let (lead, admin, owner) = (world.caller(Role::Lead), world.caller(Role::Admin), world.superuser().await);
    let mut places = Vec::new();
    for role in Role::ALL {
        let user = admin.post(USERS, new(&format!("{}@example.org", role.name()), role.name())).await.expect(201);
        places.push((role, format!("{USERS}/{}", user["id"].as_str().unwrap())));
    }
    let before = owner.dump().await;
    for role in ["lead", "admin"] {
        lead.post(USERS, new("new@example.org", role)).await.problem(403, "FORBIDDEN");
    }
    for (role, place) in &places {
        for to in ["lead", "admin"] {
            lead.patch(place, json!({"role": to})).await.problem(403, "FORBIDDEN");
        }
        if *role >= Role::Lead {
            for body in [json!({"full_name": "X"}), json!({"is_active": false}), json!({"role": "viewer"})] {
                lead.patch(place, body).await.problem(403, "FORBIDDEN");
            }
            lead.delete(place).await.problem(403, "FORBIDDEN");
        }
        for below in [Role::Viewer, Role::Member] {
            let caller = world.caller(below);
            caller.get(place).await.expect(200);
            caller.patch(place, json!({"full_name": "X"})).await.problem(403, "FORBIDDEN");
            caller.delete(place).await.problem(403, "FORBIDDEN");
        }
    }
    assert_eq!(owner.dump().await, before);
    lead.patch(&places[0].1, json!({"role": "member"})).await.expect(200);
    assert_eq!(lead.delete(&places[0].1).await.status, 204);
    admin.patch(&places[1].1, json!({"role": "admin"})).await.expect(200);
}

#[tokio::test]
async fn another_tenants_user_is_answered_like_an_unknown_one() {
    let world = TestApp::full().await;
    let (id, _) = person(&world, Role::Member).await;
    let (other, owner) = (world.another_tenant().await, world.superuser().await);
    let before = owner.dump().await;
    for role in [Role::Lead, Role::Admin] {
        let theirs = world.caller_of(&other, role).with("x-request-id", "same");
        for (method, body) in [("GET", None), ("PATCH", Some(json!({"full_name": "X"}))), ("DELETE", None)] {
            let mut reported = Vec::new();
            for id in [id.as_str(), UNKNOWN] {
                let body = body.as_ref().map(|body| body.to_string().into_bytes());
                let problem = theirs.send(method, &format!("{USERS}/{id}"), body).await.problem(404, "USER_NOT_FOUND");
                reported.push(problem.to_string().replace(id, "ID"));
            }
            assert_eq!(reported[0], reported[1]);
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn the_last_admin_is_neither_demoted_nor_deactivated_nor_removed() {
    let world = TestApp::full().await;
    let (admin, owner) = (world.caller(Role::Admin), world.superuser().await);
    let first = admin.post(USERS, new("first@example.org", "admin")).await.expect(201);
    let place = format!("{USERS}/{}", first["id"].as_str().unwrap());
    let before = owner.dump().await;
    for body in [json!({"role": "lead"}), json!({"is_active": false}), json!({"role": "viewer", "is_active": false})] {
        admin.patch(&place, body).await.problem(409, "LAST_ADMIN");
    }
    admin.delete(&place).await.problem(409, "LAST_ADMIN");
    assert_eq!(owner.dump().await, before);
    admin.patch(&place, json!({"full_name": "Still admin"})).await.expect(200);
    let second = admin.post(USERS, new("second@example.org", "admin")).await.expect(201);
    let other = format!("{USERS}/{}", second["id"].as_str().unwrap());
    admin.patch(&other, json!({"is_active": false})).await.expect(200);
    admin.delete(&place).await.problem(409, "LAST_ADMIN");
    admin.patch(&other, json!({"is_active": true})).await.expect(200);
    assert_eq!(admin.delete(&place).await.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_admin_remains_when_admins_remove_each_other_concurrently() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    for round in 0..5 {
        let mut people = Vec::new();
        for _ in 0..4 {
            people.push(person(&world, Role::Admin).await);
        }
        let calls = (0..4).map(|at| {
            let (place, caller) = (format!("{USERS}/{}", people[(at + 1) % 4].0), &people[at].1);
            async move {
                match (at + round) % 3 {
                    0 => caller.patch(&place, json!({"role": "viewer"})).await,
                    1 => caller.patch(&place, json!({"is_active": false})).await,
                    _ => caller.delete(&place).await,
                }
            }
        });
        let replies = join_all(calls).await;
        let left = owner.number("select count(*) from users where role = 'admin' and is_active").await;
        assert!(left >= 1, "{replies:?}");
        for reply in &replies {
            // An admin who was demoted or removed meanwhile is refused.
            assert!(matches!(reply.status.as_u16(), 200 | 204 | 401 | 403 | 409), "{}", reply.json());
        }
        let admin = world.caller(Role::Admin);
        let rest = admin.get(&format!("{USERS}?role=admin&is_active=true")).await.expect(200);
        for id in all(&rest, "id").iter().skip(1) {
            assert_eq!(admin.delete(&format!("{USERS}/{}", id.as_str().unwrap())).await.status, 204);
        }
        let last = all(&rest, "id")[0].as_str().unwrap().to_owned();
        admin.delete(&format!("{USERS}/{last}")).await.problem(409, "LAST_ADMIN");
        owner.run("delete from users").await;
    }
}

#[tokio::test]
async fn a_deactivated_or_removed_person_is_no_longer_admitted() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let (id, caller) = person(&world, Role::Member).await;
    let place = format!("{USERS}/{id}");
    caller.get("/api/v1/me").await.expect(200);
    lead.patch(&place, json!({"is_active": false})).await.expect(200);
    caller.get("/api/v1/me").await.problem(401, "UNAUTHENTICATED");
    lead.patch(&place, json!({"is_active": true, "role": "viewer"})).await.expect(200);
    assert_eq!(caller.get("/api/v1/me").await.expect(200)["role"], "viewer");
    caller.get("/api/v1/api-keys").await.problem(403, "FORBIDDEN");
    assert_eq!(lead.delete(&place).await.status, 204);
    caller.get("/api/v1/me").await.problem(401, "UNAUTHENTICATED");
}
