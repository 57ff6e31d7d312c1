//! Assigns sessions to arms by the experiment's salt and the root of the session tree, so that all sessions of a tree
//! get the same arm, deterministically. Pure.
//!
//! The draw is weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA
//! 2005): each arm draws a waiting time by its weight, and the shortest wins. When an arm is stopped only its own trees
//! move.

use sha2::{Digest, Sha256};

use crate::kernel::id::SessionId;

use super::Arm;

/// The arm of a tree; `None` when all arms are stopped.
pub fn pick_arm<'a>(salt: &str, root: SessionId, arms: &'a [Arm]) -> Option<&'a Arm> {
    let drawn = arms.iter().filter(|arm| arm.is_active()).map(|arm| (waiting_time(salt, root, arm), arm));
    drawn.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, arm)| arm)
}

/// Exponentially distributed with the weight as its rate.
fn waiting_time(salt: &str, root: SessionId, arm: &Arm) -> f64 {
    let mut hash = Sha256::new();
    for part in [salt.as_bytes(), root.0.as_bytes(), arm.name.as_str().as_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let uniform = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln() / f64::from(arm.weight)
}

#[cfg(test)]
mod tests {
    use super::{super::statistics::ratio_mismatch, *};
    use crate::kernel::clock::Time;

    fn arms(weights: &[(&str, i32)]) -> Vec<Arm> {
        let arm = |(name, weight): &(&str, i32)| Arm {
            name: name.parse().unwrap(),
            model: "a/b".to_owned(),
            weight: *weight,
            runs_on: None,
            stopped_at: None,
            stopped_why: None,
        };
        weights.iter().map(arm).collect()
    }

    fn roots(count: u128) -> impl Iterator<Item = SessionId> {
        (0..count).map(|number| SessionId(uuid::Uuid::from_u128(number << 40)))
    }

    #[test]
    fn the_arms_get_the_shares_that_their_weights_say() {
        let arms = arms(&[("a", 1), ("b", 2), ("c", 7)]);
        let mut counts = [0; 3];
        for root in roots(5000) {
            let drawn = pick_arm("salt", root, &arms).unwrap();
            counts[arms.iter().position(|one| one == drawn).unwrap()] += 1;
        }
        assert!(ratio_mismatch(&counts, &[1, 2, 7]) > 0.01, "{counts:?}");
        assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
    }

    #[test]
    fn the_same_tree_gets_the_same_arm_and_another_salt_draws_anew() {
        let arms = arms(&[("a", 1), ("b", 1)]);
        let drawn = |salt| roots(200).map(|root| pick_arm(salt, root, &arms).unwrap().name.clone()).collect::<Vec<_>>();
        assert_eq!(drawn("one"), drawn("one"));
        let same = drawn("one").into_iter().zip(drawn("two")).filter(|(one, two)| one == two).count();
        assert!((60..140).contains(&same), "{same}");
    }

    #[test]
    fn an_arm_that_is_stopped_leaves_the_trees_of_the_others_where_they_are() {
        let before = arms(&[("a", 1), ("b", 1), ("c", 2)]);
        let mut after = before.clone();
        after[2].stopped_at = Some(Time::default());
        for root in roots(500) {
            let (was, is) = (pick_arm("salt", root, &before).unwrap(), pick_arm("salt", root, &after).unwrap());
            assert!(was.name == is.name || was.name.as_str() == "c");
            assert_ne!(is.name.as_str(), "c");
        }
        for one in &mut after {
            one.stopped_at = Some(Time::default());
        }
        assert_eq!(pick_arm("salt", SessionId::new(), &after), None);
    }
}
