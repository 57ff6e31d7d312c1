//! `GET /secrets`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, set};
use crate::{environments::create_environment, tenancy::person};

#[tokio::test]
async fn a_list_holds_the_secrets_that_the_caller_can_name_without_values() {
    let world = TestApp::full().await;
    let (lead, theirs) = (world.caller(Role::Lead), world.another_tenant().await);
    let (_, ada) = person(&world, Role::Member).await;
    let (_, ben) = person(&world, Role::Member).await;
    let environment = create_environment(&lead, "backend", json!({})).await;
    set(&world.caller_of(&theirs, Role::Lead), "tenant", "FOREIGN", "hidden words").await;
    set(&lead, "tenant", "ONE", "hidden words").await;
    set(&lead, &environment, "TWO", "hidden words").await;
    set(&ada, "user", "THREE", "hidden words").await;
    set(&ben, "user", "FOUR", "hidden words").await;
    let names = async |query: &str| {
        let page = ada.get(&format!("{PATH}{query}")).await.expect(200);
        assert!(!page.to_string().contains("hidden words"), "{page}");
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["THREE", "TWO", "ONE"]);
    assert_eq!(names("?scope=tenant").await, ["ONE"]);
    assert_eq!(names("?scope=user").await, ["THREE"]);
    assert_eq!(names(&format!("?scope={environment}")).await, ["TWO"]);
    assert_eq!(ada.all_pages(&format!("{PATH}?limit=1"), "name").await, ["THREE", "TWO", "ONE"].map(Value::from));
    ada.cannot_query(PATH, &["scope=team", "limit=0", "cursor=x", "value=x"]).await;
    let program = world.caller(Role::Lead).get(PATH).await.expect(200);
    assert_eq!(program["items"].as_array().unwrap().len(), 2, "a program has no secrets of its own");
}
