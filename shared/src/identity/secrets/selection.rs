//! Which of several secrets with one name a session receives: that of the user who created it, else that of its
//! environment, else that of the tenant.

use std::collections::BTreeMap;

use super::SecretOwner;

/// A candidate: a secret with its owner and its name.
pub trait Candidate {
    fn owner(&self) -> SecretOwner;
    fn name(&self) -> &str;
}

/// The secrets that a session receives, and the names for which there is none, both in the order of the names.
pub fn select_secrets<T: Candidate>(names: &[String], candidates: Vec<T>) -> (Vec<T>, Vec<String>) {
    let mut best: BTreeMap<String, T> = BTreeMap::new();
    for candidate in candidates {
        let wins = best.get(candidate.name()).is_none_or(|known| candidate.owner().scope() > known.owner().scope());
        if wins {
            best.insert(candidate.name().to_owned(), candidate);
        }
    }
    let (mut selected, mut missing) = (Vec::with_capacity(names.len()), Vec::new());
    for name in names {
        match best.remove(name) {
            Some(secret) => selected.push(secret),
            None => missing.push(name.clone()),
        }
    }
    (selected, missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::{EnvironmentId, UserId};

    #[derive(Clone, Debug, PartialEq)]
    struct Known(SecretOwner, &'static str);

    impl Candidate for Known {
        fn owner(&self) -> SecretOwner {
            self.0
        }

        fn name(&self) -> &str {
            self.1
        }
    }

    #[test]
    fn the_user_wins_over_the_environment_and_the_environment_over_the_tenant() {
        let (environment, user) = (SecretOwner::Environment(EnvironmentId::new()), SecretOwner::User(UserId::new()));
        let names = ["A", "B", "C", "D"].map(str::to_owned);
        let known = vec![
            Known(SecretOwner::Tenant, "A"),
            Known(environment, "A"),
            Known(user, "A"),
            Known(environment, "B"),
            Known(SecretOwner::Tenant, "B"),
            Known(SecretOwner::Tenant, "C"),
            Known(user, "NOT_NAMED"),
        ];
        let expected = vec![Known(user, "A"), Known(environment, "B"), Known(SecretOwner::Tenant, "C")];
        assert_eq!(select_secrets(&names, known.clone()), (expected.clone(), vec!["D".to_owned()]));
        let reversed = known.into_iter().rev().collect();
        assert_eq!(select_secrets(&names, reversed).0, expected, "the order of the rows decides nothing");
    }
}
