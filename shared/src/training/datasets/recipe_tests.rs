use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn candidate() -> SampleCandidate {
    SampleCandidate {
        id: SessionId(Uuid::from_u128(1)),
        root_id: SessionId(Uuid::from_u128(1)),
        session_type: SessionType::Execution,
        tags: vec!["good".to_owned(), "rust".to_owned()],
        model: Some("anthropic/claude".to_owned()),
        ended_at: parse_time("2026-11-10T00:00:00Z").unwrap(),
        success_rate: Some(0.9),
    }
}

fn parsed(raw: RecipeInput) -> Recipe {
    Recipe::parse(raw).unwrap()
}

#[test]
fn an_empty_recipe_has_the_defaults() {
    assert_eq!(parsed(RecipeInput::default()), Recipe::default());
    assert_eq!(Recipe::default().reason_to_leave_out(&candidate()), None);
}

#[test]
fn all_faults_are_named_at_once_and_below_their_prefix() {
    let raw = RecipeInput {
        min_success_rate: Some(1.01),
        tags: Some(vec![String::new()]),
        model: Some("model".to_owned()),
        since: Some("2026-11-10T00:00:00Z".to_owned()),
        until: Some("2026-11-10T00:00:00Z".to_owned()),
        limit: Some(0),
        min_samples: Some(100_001),
        format: Some(DatasetFormat::Instruction),
        system_prompt: Some("Be brief.".to_owned()),
        session_type: None,
    };
    let mut refused = ValidationErrors::default();
    Recipe::collect(raw, "dataset.", &mut refused);
    let error = refused.into_result().unwrap_err();
    let mut named: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
    named.sort_unstable();
    let fields = ["limit", "min_samples", "min_success_rate", "model", "system_prompt", "tags", "until"];
    assert_eq!(named, fields.map(|field| format!("dataset.{field}")));
    for wrong in [f64::NAN, -0.1, f64::INFINITY] {
        assert!(Recipe::parse(RecipeInput { min_success_rate: Some(wrong), ..RecipeInput::default() }).is_err());
    }
    assert!(Recipe::parse(RecipeInput { since: Some("yesterday".to_owned()), ..RecipeInput::default() }).is_err());
}

#[test]
fn each_filter_holds_and_the_end_of_a_range_is_not_in_it() {
    let at = |text: &str| Some(text.to_owned());
    let filtered = Some(ExclusionCause::Filtered);
    for (raw, judgement) in [
        (RecipeInput { session_type: Some(SessionType::Execution), ..RecipeInput::default() }, None),
        (RecipeInput { session_type: Some(SessionType::Review), ..RecipeInput::default() }, filtered),
        (RecipeInput { tags: Some(vec!["rust".to_owned(), "go".to_owned()]), ..RecipeInput::default() }, None),
        (RecipeInput { tags: Some(vec!["go".to_owned()]), ..RecipeInput::default() }, filtered),
        (RecipeInput { model: at("anthropic/claude"), ..RecipeInput::default() }, None),
        (RecipeInput { model: at("openai/gpt"), ..RecipeInput::default() }, filtered),
        (RecipeInput { since: at("2026-11-10T00:00:00Z"), ..RecipeInput::default() }, None),
        (RecipeInput { since: at("2026-11-10T00:00:01Z"), ..RecipeInput::default() }, filtered),
        (RecipeInput { until: at("2026-11-10T00:00:00Z"), ..RecipeInput::default() }, filtered),
        (RecipeInput { until: at("2026-11-10T01:00:00+01:00"), ..RecipeInput::default() }, filtered),
        (RecipeInput { min_success_rate: Some(0.91), ..RecipeInput::default() }, Some(ExclusionCause::TooLowSuccess)),
    ] {
        assert_eq!(parsed(raw.clone()).reason_to_leave_out(&candidate()), judgement, "{raw:?}");
    }
}

#[test]
fn a_completed_session_without_a_success_rate_counts_as_one() {
    let silent = SampleCandidate { success_rate: None, ..candidate() };
    assert_eq!(
        parsed(RecipeInput { min_success_rate: Some(1.0), ..RecipeInput::default() }).reason_to_leave_out(&silent),
        None
    );
}

proptest! {
    #[test]
    fn a_recipe_reads_back_as_it_is_written_and_the_order_of_tags_is_none(
        rate in 0..=1000_u32, limit in 1..=MOST_SAMPLES, tags in prop::collection::vec("[a-z]{1,8}", 0..6)
    ) {
        let raw = RecipeInput { min_success_rate: Some(f64::from(rate) / 1000.0), limit: Some(limit), tags: Some(tags.clone()), ..RecipeInput::default() };
        let recipe = parsed(raw.clone());
        let text = serde_json::to_string(&recipe).unwrap();
        let again: Recipe = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again, &recipe);
        let turned = RecipeInput { tags: Some(tags.into_iter().rev().collect()), ..raw };
        prop_assert_eq!(parsed(turned).hash(), recipe.hash());
    }
}
