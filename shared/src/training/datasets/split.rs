//! Splits sessions by a hash of the root of their tree, so that no tree is on both sides.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::kernel::id::SessionId;

/// One tree in this many is held out.
const HELD_OUT_ONE_IN: u64 = 10;

/// A part of a dataset.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DatasetSplit)]
pub enum Split {
    /// Used for training.
    Training,
    /// Used for evaluation, never for training.
    HeldOut,
}

impl Split {
    pub const ALL: [Self; 2] = [Self::Training, Self::HeldOut];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::HeldOut => "held_out",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|split| split.name() == text)
    }

    /// The side of a session tree: the same for every dataset, permanently.
    pub fn of(root_id: SessionId) -> Self {
        let hash = Sha256::digest(root_id.0.as_bytes());
        let number = hash[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        if number.is_multiple_of(HELD_OUT_ONE_IN) { Self::HeldOut } else { Self::Training }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_tree_in_ten_is_held_out() {
        let root = |number: u128| SessionId(Uuid::from_u128(number));
        let held_out = (0..10_000).filter(|number| Split::of(root(*number)) == Split::HeldOut).count();
        assert!((900..=1100).contains(&held_out), "{held_out} of 10 000");
    }

    proptest! {
        #[test]
        fn a_split_reads_back_as_it_is_written_and_follows_from_the_root_alone(number: u128) {
            let split = Split::of(SessionId(Uuid::from_u128(number)));
            prop_assert_eq!(Split::parse(split.name()), Some(split));
            prop_assert_eq!(Split::of(SessionId(Uuid::from_u128(number))), split);
        }
    }
}
