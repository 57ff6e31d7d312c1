use proptest::prelude::*;

use super::*;

fn said(text: &str) -> Vec<Message> {
    let prompt = Message { role: Speaker::User, content: "Fix it.".to_owned() };
    vec![prompt, Message { role: Speaker::Assistant, content: text.to_owned() }]
}

/// A text of `count` words that no other seed shares.
fn words(seed: usize, count: usize) -> String {
    (0..count).map(|at| format!("w{seed}x{at}")).collect::<Vec<_>>().join(" ") + " "
}

#[test]
fn the_same_is_a_duplicate_and_nearly_the_same_a_near_one() {
    let mut seen = Seen::default();
    let text = words(1, 200);
    assert_eq!(seen.judge(&said(&text)), None);
    assert_eq!(seen.judge(&said(&text)), Some(LeftOut::Duplicate));
    assert_eq!(seen.judge(&said(&text.replacen("w1x100", "other", 1))), Some(LeftOut::NearDuplicate));
    assert_eq!(seen.judge(&said(&text.to_uppercase())), Some(LeftOut::NearDuplicate));
    let half = format!("{} {}", words(1, 100), words(2, 100));
    assert_eq!(seen.judge(&said(&half)), None, "half of it is another text");
    assert_eq!(seen.judge(&said(&words(3, 200))), None);
}

#[test]
fn who_says_it_counts_and_short_texts_are_told_apart() {
    let mut seen = Seen::default();
    for text in ["Yes.", "No.", "a", "b", "a b", "b a"] {
        assert_eq!(seen.judge(&said(text)), None, "{text}");
    }
    let mut turned = said("Yes.");
    turned[1].role = Speaker::User;
    assert_ne!(seen.judge(&turned), Some(LeftOut::Duplicate));
}

#[test]
fn of_two_thousand_texts_those_that_are_near_are_found_and_the_others_kept() {
    let mut seen = Seen::default();
    let mut near = 0;
    for number in 0..2_000 {
        let text = words(number, 60);
        assert_eq!(seen.judge(&said(&text)), None, "{number}");
        let changed = text.replacen(&format!("w{number}x30 "), "changed ", 1);
        near += usize::from(seen.judge(&said(&changed)) == Some(LeftOut::NearDuplicate));
    }
    // Three of about sixty runs differ: they have nine tenths in common, and an estimate may be wrong.
    assert!(near >= 1_960, "{near} of 2 000 found");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_same_texts_in_the_same_order_are_judged_the_same(texts in prop::collection::vec("[ab ]{0,12}", 0..40)) {
        let judged = || {
            let mut seen = Seen::default();
            texts.iter().map(|text| seen.judge(&said(text))).collect::<Vec<_>>()
        };
        prop_assert_eq!(judged(), judged());
    }
}
