use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{super::transcript::Transcript, *};
use crate::kernel::{clock::Time, id::SessionId, session_type::SessionType};

fn candidate(number: u128, root: u128) -> SampleCandidate {
    SampleCandidate {
        id: SessionId(Uuid::from_u128(number)),
        root_id: SessionId(Uuid::from_u128(root)),
        session_type: SessionType::Execution,
        tags: Vec::new(),
        model: None,
        ended_at: Time::default(),
        success_rate: Some(1.0),
    }
}

fn transcript(answer: &str) -> RedactedTranscript {
    full_transcript(answer).into_redacted()
}

fn full_transcript(answer: &str) -> Transcript {
    let events = vec![("session.message".to_owned(), json!({"role": "assistant", "text": answer}))];
    Transcript { prompt: "Do it.".to_owned(), events, result: None, too_long: false }
}

#[test]
fn each_session_is_a_sample_or_counted_by_why_it_is_none() {
    let recipe = Recipe { limit: 2, ..Recipe::default() };
    let mut curation = Curation::new(&recipe);
    let failed = SampleCandidate { success_rate: Some(0.5), ..candidate(1, 1) };
    assert!(!curation.wants_transcript(&failed));
    assert!(curation.wants_transcript(&candidate(2, 2)));
    assert!(curation.take_candidate(&candidate(2, 2), Some(transcript("Written to ada@example.org."))).is_some());
    assert!(curation.take_candidate(&candidate(3, 3), Some(transcript("Written to ada@example.org."))).is_none());
    assert!(curation.take_candidate(&candidate(4, 4), Some(transcript(""))).is_none());
    assert!(curation.take_candidate(&candidate(5, 5), None).is_none());
    let too_long = Some(Transcript { too_long: true, ..full_transcript("x") }.into_redacted());
    assert!(curation.take_candidate(&candidate(6, 6), too_long).is_none() && !curation.is_full());
    let sample = curation.take_candidate(&candidate(7, 7), Some(transcript("Something else was done here."))).unwrap();
    assert!(curation.is_full());
    let left_out = [
        (ExclusionCause::TooLowSuccess, 1),
        (ExclusionCause::Duplicate, 1),
        (ExclusionCause::EmptyTranscript, 1),
        (ExclusionCause::Deleted, 1),
        (ExclusionCause::TooLong, 1),
    ];
    assert_eq!(curation.tally.left_out, BTreeMap::from(left_out));
    assert_eq!((curation.tally.looked_at, curation.tally.samples), (2, 2));
    assert_eq!(curation.tally.redactions, BTreeMap::from([("email".to_owned(), 1)]), "of the samples alone");
    assert!(sample.line.ends_with("}\n") && sample.line.contains(&sample.candidate.id.to_string()));
}

#[test]
fn the_prompt_of_the_system_comes_first_and_makes_nothing_a_duplicate() {
    let recipe = Recipe { system_prompt: Some("Be brief. ".repeat(100)), ..Recipe::default() };
    let mut curation = Curation::new(&recipe);
    let sample = curation.take_candidate(&candidate(1, 1), Some(transcript("One thing."))).unwrap();
    assert_eq!(sample.messages[0].role, Speaker::System);
    assert!(curation.take_candidate(&candidate(2, 2), Some(transcript("Quite another matter."))).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_sessions_give_the_same_lines_and_no_tree_is_on_both_sides(
        sessions in prop::collection::vec((any::<u128>(), 0..8_u128, "[a-d ]{0,30}"), 0..40)
    ) {
        let recipe = Recipe::default();
        let made = || {
            let mut curation = Curation::new(&recipe);
            let samples: Vec<_> = sessions.iter().filter_map(|(id, root, answer)| {
                curation.take_candidate(&candidate(*id, *root), Some(transcript(answer))).map(|sample| (*root, sample))
            }).collect();
            (samples, curation.tally)
        };
        let (samples, tally) = made();
        prop_assert_eq!(made(), (samples.clone(), tally));
        let mut sides = BTreeMap::new();
        for (root, sample) in samples {
            prop_assert_eq!(*sides.entry(root).or_insert(sample.split), sample.split);
        }
    }
}
