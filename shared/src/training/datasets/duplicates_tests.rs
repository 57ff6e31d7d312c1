use proptest::prelude::*;

use super::*;

fn said(text: &str) -> Vec<ChatMessage> {
    let prompt = ChatMessage { role: Speaker::User, content: "Fix it.".to_owned() };
    vec![prompt, ChatMessage { role: Speaker::Assistant, content: text.to_owned() }]
}

/// A text of `count` words that no other seed shares.
fn words(seed: usize, count: usize) -> String {
    (0..count).map(|at| format!("w{seed}x{at}")).collect::<Vec<_>>().join(" ") + " "
}

#[test]
fn the_cost_of_a_signature_is_linear() {
    for unit in ["a ", "word ", "İ", "\u{3000}x", "aaaaaaaaaaaaaaaa"] {
        let message = |text: &str| ChatMessage { role: Speaker::User, content: text.to_owned() };
        crate::kernel::cost::assert_linear("find_duplicate", unit, |text| {
            DuplicateIndex::default().find_duplicate(&[message(text)]);
        });
    }
}

#[test]
fn the_same_is_a_duplicate_and_nearly_the_same_a_near_one() {
    let mut seen = DuplicateIndex::default();
    let text = words(1, 200);
    assert_eq!(seen.find_duplicate(&said(&text)), None);
    assert_eq!(seen.find_duplicate(&said(&text)), Some(ExclusionCause::Duplicate));
    assert_eq!(seen.find_duplicate(&said(&text.replacen("w1x100", "other", 1))), Some(ExclusionCause::NearDuplicate));
    assert_eq!(seen.find_duplicate(&said(&text.to_uppercase())), Some(ExclusionCause::NearDuplicate));
    let half = format!("{} {}", words(1, 100), words(2, 100));
    assert_eq!(seen.find_duplicate(&said(&half)), None, "half of it is another text");
    assert_eq!(seen.find_duplicate(&said(&words(3, 200))), None);
}

#[test]
fn the_speaker_counts_and_short_texts_are_compared_exactly() {
    let mut seen = DuplicateIndex::default();
    for text in ["Yes.", "No.", "a", "b", "a b", "b a"] {
        assert_eq!(seen.find_duplicate(&said(text)), None, "{text}");
    }
    let mut turned = said("Yes.");
    turned[1].role = Speaker::User;
    assert_ne!(seen.find_duplicate(&turned), Some(ExclusionCause::Duplicate));
}

#[test]
fn near_duplicates_among_two_thousand_texts_are_found_and_the_others_kept() {
    let mut seen = DuplicateIndex::default();
    let mut near = 0;
    for number in 0..2_000 {
        let text = words(number, 60);
        assert_eq!(seen.find_duplicate(&said(&text)), None, "{number}");
        let changed = text.replacen(&format!("w{number}x30 "), "changed ", 1);
        near += usize::from(seen.find_duplicate(&said(&changed)) == Some(ExclusionCause::NearDuplicate));
    }
    // Three of about sixty runs differ: they have nine tenths in common, and an estimate may be wrong.
    assert!(near >= 1_960, "{near} of 2 000 found");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_same_texts_in_the_same_order_are_judged_the_same(texts in prop::collection::vec("[ab ]{0,12}", 0..40)) {
        let judged = || {
            let mut seen = DuplicateIndex::default();
            texts.iter().map(|text| seen.find_duplicate(&said(text))).collect::<Vec<_>>()
        };
        prop_assert_eq!(judged(), judged());
    }
}
