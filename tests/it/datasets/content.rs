//! `GET /fine-tuning/datasets`, one of them, its content and its sessions.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{
    app::Settings,
    identity::auth::Role,
    kernel::id::TrainingJobId,
    platform::object_store::Files,
    training::datasets::{Recipe, digest},
};

use super::{DATASETS, UNKNOWN, lines, with_samples};

#[tokio::test]
async fn a_dataset_is_shown_with_its_recipe_figures_and_hashes() {
    let (world, _, _) = with_samples(4).await;
    let recipe = Recipe { min_success_rate: 0.5, system_prompt: Some("Be brief.".to_owned()), ..Recipe::default() };
    let dataset = world.dataset(&recipe).await;
    let viewer = world.caller(Role::Viewer);
    let shown = viewer.get(&format!("{DATASETS}/{}", dataset.id)).await.expect(200);
    assert_eq!(shown["recipe"], serde_json::to_value(&recipe).unwrap());
    assert_eq!((&shown["samples"], &shown["job_id"]), (&json!(4), &json!(dataset.job_id)));
    assert_eq!(shown["tally"]["samples"], 4);
    let hash = |side: &str| shown[side]["sha256"].as_str().map(str::to_owned);
    assert_eq!(shown["sha256"], digest(&hash("training").unwrap(), hash("held_out").as_deref()));
    assert_eq!(viewer.get(DATASETS).await.expect(200)["items"], json!([shown]));
    let first = lines(&world, &dataset.id.to_string(), "training").await.remove(0);
    assert_eq!(first["messages"][0], json!({"role": "system", "content": "Be brief."}));
}

#[tokio::test]
async fn dataset_lists_are_paged_newest_first_and_filtered_by_job() {
    let (world, _, _) = with_samples(2).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(world.dataset(&Recipe::default()).await);
    }
    let viewer = world.caller(Role::Viewer);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = viewer.get(&format!("{DATASETS}?limit=2{cursor}")).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, made.iter().rev().map(|one| json!(one.id)).collect::<Vec<_>>());
    let of_job = viewer.get(&format!("{DATASETS}?job_id={}", made[1].job_id)).await.expect(200);
    assert_eq!(of_job["items"].as_array().unwrap().len(), 1);
    let none = viewer.get(&format!("{DATASETS}?job_id={}", TrainingJobId::new())).await.expect(200);
    assert_eq!(none["items"], json!([]));
    for query in ["limit=0", "cursor=x", "job_id=x", "jb=1"] {
        viewer.get(&format!("{DATASETS}?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn the_content_is_served_with_its_hash_as_etag_and_is_not_sent_twice() {
    let (world, _, _) = with_samples(3).await;
    let dataset = world.dataset(&Recipe::default()).await;
    let viewer = world.caller(Role::Viewer);
    let place = format!("{DATASETS}/{}/content", dataset.id);
    let reply = viewer.get(&place).await;
    let etag = reply.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", dataset.training.sha256));
    assert_eq!(reply.headers["content-type"], "application/jsonl");
    assert_eq!(reply.headers["content-length"], dataset.training.bytes.to_string());
    assert_eq!(reply.bytes.len() as u64, dataset.training.bytes);
    let known = viewer.with("if-none-match", &format!("\"x\", W/{etag}")).get(&place).await;
    assert_eq!((known.status.as_u16(), known.bytes.len()), (304, 0));
    let other = viewer.with("if-none-match", "\"x\"").get(&place).await;
    assert_eq!(other.status, 200);
    viewer.get(&format!("{place}?split=both")).await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_dataset_without_held_out_samples_has_an_empty_file_for_them() {
    let (world, _, _) = with_samples(1).await;
    let dataset = world.dataset(&Recipe::default()).await;
    assert!(dataset.held_out.is_none());
    assert_eq!(lines(&world, &dataset.id.to_string(), "held_out").await, Vec::<Value>::new());
}

#[tokio::test]
async fn lineage_pages_through_each_session_with_its_split() {
    let (world, _, ids) = with_samples(23).await;
    let dataset = world.dataset(&Recipe::default()).await;
    let viewer = world.caller(Role::Viewer);
    let place = format!("{DATASETS}/{}/sessions", dataset.id);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = viewer.get(&format!("{place}?limit=10{cursor}")).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["session_id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ids.iter().rev().map(|id| json!(id)).collect::<Vec<_>>());
    for (split, count) in
        [("training", dataset.training.samples), ("held_out", dataset.samples() - dataset.training.samples)]
    {
        let side = viewer.get(&format!("{place}?limit=200&split={split}")).await.expect(200);
        assert_eq!(side["items"].as_array().unwrap().len() as u64, count);
    }
    for query in ["split=training,held_out", "deleted=perhaps", "limit=201", "cursor=x"] {
        viewer.get(&format!("{place}?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn another_tenants_dataset_is_answered_like_an_unknown_one() {
    let (world, _, _) = with_samples(1).await;
    let dataset = world.dataset(&Recipe::default()).await;
    let other = world.caller_of(&world.another_tenant().await, Role::Admin);
    for path in ["", "/content", "/sessions"] {
        other.get(&format!("{DATASETS}/{}{path}", dataset.id)).await.problem(404, "DATASET_NOT_FOUND");
        other.get(&format!("{DATASETS}/{UNKNOWN}{path}")).await.problem(404, "DATASET_NOT_FOUND");
    }
    assert_eq!(other.get(DATASETS).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_store_without_signed_urls_streams_even_where_responses_are_buffered() {
    let settings = Settings { streams: false, ..Options::default().settings };
    let world = TestApp::idle(Options { settings, ..Options::default() }).await;
    world.agree().await;
    let owner = world.superuser().await;
    world.caller(Role::Member).answered(&owner, json!({}), "Done.").await;
    let dataset = world.dataset(&Recipe::default()).await;
    assert_eq!(lines(&world, &dataset.id.to_string(), "training").await.len(), 1);
    assert!(
        Files::open_store("memory:")
            .unwrap()
            .signed_url("a", std::time::Duration::from_secs(1))
            .await
            .unwrap()
            .is_none()
    );
}
