//! `POST /fine-tuning/datasets/preview`: what a recipe would give and what it leaves out, without a trace.

use harness::{TestApp, samples::prose};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{DATASETS, with_samples};

async fn preview(world: &TestApp, recipe: Value) -> Value {
    world.caller(Role::Lead).post(&format!("{DATASETS}/preview"), recipe).await.expect(200)
}

#[tokio::test]
async fn a_preview_counts_the_samples_and_the_reasons_for_every_excluded_session() {
    let (world, owner, ids) = with_samples(3).await;
    let caller = world.caller(Role::Member);
    owner.rate(&ids[0], 0.5).await;
    caller.answered(&owner, json!({"session_type": "review"}), &prose(10)).await;
    caller.answered(&owner, json!({"initial_prompt": "Do 2."}), &prose(2)).await;
    let near = prose(1).replace("word1x20", "other");
    caller.answered(&owner, json!({"initial_prompt": "Do 1."}), &near).await;
    let silent = caller.new_session(json!({})).await;
    owner.place(&silent, "completed").await;
    let long = "lorem ipsum ".repeat(25_000);
    caller.answered(&owner, json!({}), &long).await;
    caller.new_session(json!({})).await;
    caller.answered(&owner, json!({"initial_prompt": "AcquireOptions ada@example.org."}), &prose(11)).await;
    let reported = preview(&world, json!({"session_type": "execution"})).await;
    assert_eq!(
        (&reported["looked_at"], &reported["samples"], &reported["complete"]),
        (&json!(9), &json!(3), &json!(true))
    );
    let left_out = json!({
        "filtered": 1, "too_low_success": 1, "duplicate": 1, "near_duplicate": 1, "empty_transcript": 1, "too_long": 1,
    });
    assert_eq!(reported["left_out"], left_out, "{reported:#}");
    assert_eq!(reported["redactions"], json!({"email": 1}));
    let sides = reported["training_samples"].as_i64().unwrap() + reported["held_out_samples"].as_i64().unwrap();
    assert_eq!((sides, reported["examples"].as_array().unwrap().len()), (3, 3));
    assert_eq!(reported["examples"][0]["messages"][0], json!({"role": "user", "content": "AcquireOptions [email]."}));
    assert!(reported["tokens"].as_i64().unwrap() > 100 && reported["limit_reached"] == json!(false));
}

#[tokio::test]
async fn a_preview_writes_nothing_and_accepts_an_empty_tenant() {
    let (world, owner, _) = with_samples(0).await;
    world.caller(Role::Lead).get(DATASETS).await.expect(200);
    let before = owner.dump().await;
    let reported = preview(&world, json!({})).await;
    assert_eq!(
        (&reported["samples"], &reported["examples"], &reported["left_out"]),
        (&json!(0), &json!([]), &json!({}))
    );
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_preview_shows_only_the_beginning_of_a_long_message() {
    let (world, owner, _) = with_samples(0).await;
    let text = (0..1000).map(|number| format!("é{number}")).collect::<Vec<_>>().join(" ");
    world.caller(Role::Member).answered(&owner, json!({}), &text).await;
    let reported = preview(&world, json!({"format": "instruction"})).await;
    let output = reported["examples"][0]["output"].as_str().unwrap();
    assert!(output.len() < 2_100 && output.ends_with(" more bytes]"), "{output}");
    assert_eq!(reported["examples"][0]["instruction"], "Do it.");
}

#[tokio::test]
async fn a_preview_reads_only_the_newest_sessions_and_says_so() {
    let (world, owner, ids) = with_samples(1).await;
    owner.multiply(&ids[0], 2100).await;
    let reported = preview(&world, json!({})).await;
    assert_eq!(
        (&reported["complete"], &reported["looked_at"], &reported["samples"]),
        (&json!(false), &json!(2000), &json!(0))
    );
    assert_eq!(reported["left_out"]["empty_transcript"], 2000, "the one that says something is the oldest");
}

#[tokio::test]
async fn all_faults_of_a_recipe_are_named_at_once() {
    let (world, _, _) = with_samples(0).await;
    let recipe = json!({"min_success_rate": 2, "limit": 0, "model": "x", "since": "soon", "min_samples": -1});
    let lead = world.caller(Role::Lead);
    let problem = lead.post(&format!("{DATASETS}/preview"), recipe).await.problem(422, "VALIDATION_FAILED");
    let mut named: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    named.sort_by_key(ToString::to_string);
    assert_eq!(named, ["limit", "min_samples", "min_success_rate", "model", "since"]);
    for (recipe, field) in [
        (json!({"format": "csv"}), "format"),
        (json!({"tag": "a"}), "tag"),
        (json!({"session_type": "cooking"}), "session_type"),
        (json!({"limit": "many"}), "limit"),
    ] {
        let problem = lead.post(&format!("{DATASETS}/preview"), recipe).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}
