//! Curation: the transcripts of sessions, in order, the same each time.

use std::collections::{BTreeMap, BTreeSet};

use harness::{TestApp, samples::prose};
use serde_json::{Value, json};
use shared::{
    identity::auth::Role,
    kernel::id::TrainingJobId,
    training::datasets::{CurationOutcome, DatasetFormat, Recipe, Split, recipe::RecipeInput},
};

use super::{lines, sources, with_samples};

#[tokio::test]
async fn the_real_conversation_becomes_the_messages_of_a_sample() {
    let world = TestApp::new().await;
    world.agree().await;
    let caller = world.caller(Role::Member);
    let script = json!([
        {"do": "say", "text": "I begin."},
        {"do": "ask", "question_id": "q", "kind": "input", "text": "Which branch?"},
        {"do": "say", "text": "It is done."},
    ]);
    let id = caller.run_script(script).await;
    caller.reaches(&id, &["paused"]).await;
    let answer = json!({"answer": {"question_id": "q", "text": "main, says ada@example.org"}});
    caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let dataset = world.dataset(&Recipe::default()).await;
    let line = lines(&world, &dataset.id.to_string(), "training").await.remove(0);
    let said: Vec<_> = line["messages"].as_array().unwrap().iter().map(|one| one["content"].clone()).collect();
    // It repeats its prompt.
    let done = "main, says [email]\n\nIt is done.";
    assert_eq!(said, ["Do it.", "I begin.\n\nWhich branch?", "main, says [email]", done], "{line:#}");
    assert_eq!(line["metadata"], json!({"session_id": id, "success_rate": 1.0, "session_type": "execution"}));
    assert_eq!(dataset.tally.redactions, BTreeMap::from([("email".to_owned(), 2)]));
}

#[tokio::test]
async fn the_same_recipe_on_the_same_sessions_gives_the_same_bytes_newest_first() {
    let (world, _, ids) = with_samples(25).await;
    let (first, second) = (world.dataset(&Recipe::default()).await, world.dataset(&Recipe::default()).await);
    assert_ne!(first.id, second.id);
    assert_eq!(first.sha256, second.sha256);
    assert_eq!((&first.training.sha256, &first.tally), (&second.training.sha256, &second.tally));
    let (mut both, mut parts) = (BTreeSet::new(), Vec::new());
    for split in ["training", "held_out"] {
        let part = sources(&lines(&world, &first.id.to_string(), split).await);
        assert!(part.is_sorted_by(|a, b| a > b), "newest first");
        assert_eq!(part, sources(&lines(&world, &second.id.to_string(), split).await));
        both.extend(part.clone());
        parts.push(part.len() as u64);
    }
    assert_eq!(both, ids.into_iter().collect());
    assert_eq!(parts, [first.training.samples, first.held_out.map_or(0, |file| file.samples)]);
}

#[tokio::test]
async fn a_limit_keeps_the_newest_sessions_and_a_filter_the_matching_ones() {
    let (world, owner, ids) = with_samples(6).await;
    let tagged = world.caller(Role::Member).answered(&owner, json!({"tags": ["good"]}), &prose(50)).await;
    let newest = world.dataset(&Recipe { limit: 3, ..Recipe::default() }).await;
    assert_eq!((newest.samples(), newest.tally.limit_reached), (3, true));
    let mut from = Vec::new();
    for split in ["training", "held_out"] {
        from.extend(sources(&lines(&world, &newest.id.to_string(), split).await));
    }
    assert_eq!(BTreeSet::from_iter(from), BTreeSet::from([tagged.clone(), ids[5].clone(), ids[4].clone()]));
    let recipe = Recipe::parse(RecipeInput { tags: Some(vec!["good".to_owned()]), ..RecipeInput::default() }).unwrap();
    let one = world.dataset(&recipe).await;
    assert_eq!(sources(&lines(&world, &one.id.to_string(), "training").await), [tagged]);
    assert_eq!(one.tally.left_out.values().sum::<u64>(), 6);
}

#[tokio::test]
async fn no_session_tree_is_on_both_sides_of_the_split_and_a_tenth_is_held_out() {
    let (world, owner, _) = with_samples(0).await;
    let caller = world.caller(Role::Member);
    let mut roots = BTreeMap::new();
    for tree in 0..30 {
        let root = caller.answered(&owner, json!({}), &prose(tree * 10)).await;
        roots.insert(root.clone(), root.clone());
        let child = caller.answered(&owner, json!({"parent_id": root}), &prose(tree * 10 + 1)).await;
        roots.insert(child, root);
    }
    let dataset = world.dataset(&Recipe::default()).await;
    let mut sides = Vec::new();
    for split in ["training", "held_out"] {
        let from = sources(&lines(&world, &dataset.id.to_string(), split).await);
        sides.push(from.iter().map(|id| roots[id].clone()).collect::<BTreeSet<_>>());
    }
    assert_eq!(sides[0].intersection(&sides[1]).count(), 0);
    assert_eq!(sides[0].len() + sides[1].len(), 30);
    assert_eq!(dataset.samples(), 60);
}

#[tokio::test]
async fn the_plain_format_has_the_prompt_the_later_messages_and_the_output() {
    let (world, owner, _) = with_samples(0).await;
    let id = world.caller(Role::Member).answered(&owner, json!({}), "First.").await;
    owner.record(&id, "session.message", &json!({"role": "user", "text": "And then?"})).await;
    owner.record(&id, "session.message", &json!({"role": "assistant", "text": "Second."})).await;
    let dataset = world.dataset(&Recipe { format: DatasetFormat::Instruction, ..Recipe::default() }).await;
    let line = lines(&world, &dataset.id.to_string(), "training").await.remove(0);
    assert_eq!((&line["instruction"], &line["input"]), (&json!("Do it."), &json!("And then?")));
    assert_eq!((&line["output"], &line["messages"]), (&json!("First.\n\nSecond."), &Value::Null));
}

#[tokio::test]
async fn too_few_samples_are_reported_and_no_dataset_is_kept() {
    let (world, owner, ids) = with_samples(1).await;
    let code = async |recipe: &Recipe| match world.curated(TrainingJobId::new(), recipe).await {
        CurationOutcome::Refused(failure) => {
            assert!(!failure.retryable && failure.remedy.contains("preview"), "{failure:?}");
            (failure.code, failure.message)
        }
        CurationOutcome::Made(dataset) => panic!("{dataset:?}"),
    };
    let (few, _) = code(&Recipe { min_samples: 2, ..Recipe::default() }).await;
    owner.rate(&ids[0], 0.2).await;
    let (none, why) = code(&Recipe::default()).await;
    assert_eq!((few.as_str(), none.as_str()), ("TOO_FEW_SAMPLES", "NO_SAMPLES"));
    assert!(why.contains("1 too_low_success"), "{why}");
    assert_eq!(owner.number("select count(*) from datasets").await, 0);
}

#[tokio::test]
async fn a_single_sample_is_used_for_training_whatever_its_split() {
    let (world, owner, _) = with_samples(0).await;
    let caller = world.caller(Role::Member);
    for split in Split::ALL {
        // Ids are drawn: one of the wanted side comes soon.
        let id = loop {
            let id = caller.answered(&owner, json!({"tags": [split.name()]}), &prose(1)).await;
            if Split::of(id.parse().unwrap()) == split {
                break id;
            }
            owner.run(&format!("delete from sessions where id = '{id}'")).await;
        };
        let dataset = world.dataset(&Recipe { tags: vec![split.name().to_owned()], ..Recipe::default() }).await;
        assert_eq!((dataset.training.samples, dataset.held_out), (1, None));
        assert_eq!(sources(&lines(&world, &dataset.id.to_string(), "training").await), [id]);
        let lineage = owner.texts("select split from dataset_sessions").await;
        assert!(lineage.iter().all(|side| side == "training"), "{lineage:?}");
    }
}

#[tokio::test]
async fn a_dataset_holds_nothing_of_another_tenant() {
    let (world, owner, ids) = with_samples(2).await;
    let other = world.another_tenant().await;
    world.caller_of(&other, Role::Member).answered(&owner, json!({}), &prose(7)).await;
    let dataset = world.dataset(&Recipe::default()).await;
    assert_eq!((dataset.samples(), dataset.tally.looked_at), (2, 2));
    assert_eq!(ids.len(), 2);
}
