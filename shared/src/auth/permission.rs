//! What each role may do: the one table, area by area, and who may manage whom. Pure.

use super::{Role, Scope, scope::Area};

/// The least role that reads or writes anything in an area; `None` where nothing is written. Single operations may ask
/// for more: of `tenants`, everybody reads the own one and a lead changes what it decides itself, and only an admin does so
/// with all others.
pub const fn least(area: Area, write: bool) -> Option<Role> {
    match (area, write) {
        (Area::Audit | Area::Usage, true) => None,
        (Area::Sessions, true) | (Area::ApiKeys, _) => Some(Role::Member),
        (Area::Audit, false) | (Area::Agents | Area::Models | Area::Tenants | Area::Training | Area::Users, true) => {
            Some(Role::Lead)
        }
        (_, false) => Some(Role::Viewer),
    }
}

/// What somebody with a role may do, as far as their credential was not narrowed to other scopes.
pub fn permissions(role: Role, scopes: &[Scope]) -> Vec<Scope> {
    let all = Area::ALL.into_iter().flat_map(|area| [false, true].map(|write| Scope { area, write }));
    all.filter(|one| least(one.area, one.write).is_some_and(|least| role >= least))
        .filter(|one| within(&[*one], scopes))
        .collect()
}

/// Whether somebody may make, change and remove a person of a role, or give them that role.
pub fn may_manage(own: Role, theirs: Role) -> bool {
    own == Role::Admin || (own == Role::Lead && theirs < Role::Lead)
}

/// Whether one set of scopes allows nothing that another does not. None at all = everything.
pub fn within(scopes: &[Scope], of: &[Scope]) -> bool {
    of.is_empty() || (!scopes.is_empty() && scopes.iter().all(|one| of.iter().any(|own| own.allows(*one))))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn scopes() -> impl Strategy<Value = Vec<Scope>> {
        let one = (select(&Area::ALL[..]), any::<bool>()).prop_map(|(area, write)| Scope { area, write });
        vec(one, 0..6)
    }

    fn role() -> impl Strategy<Value = Role> {
        select(&Role::ALL[..])
    }

    proptest! {
        #[test]
        fn nobody_manages_or_makes_anybody_above_the_own_role(own in role(), theirs in role()) {
            prop_assert!(!may_manage(own, theirs) || theirs <= own);
            prop_assert!(own >= Role::Lead || !may_manage(own, theirs));
            prop_assert!(own != Role::Lead || may_manage(own, theirs) == (theirs < Role::Lead));
        }

        #[test]
        fn however_often_people_raise_each_other_nobody_gets_above_who_began(
            start in role(), steps in vec((0..6_usize, 0..6_usize, role()), 0..40)
        ) {
            let mut people = [start, Role::Viewer, Role::Viewer, Role::Member, Role::Viewer, Role::Member];
            let highest = people.iter().copied().max().unwrap_or(start);
            for (who, whom, to) in steps {
                if who != whom && may_manage(people[who], people[whom]) && may_manage(people[who], to) {
                    people[whom] = to;
                }
            }
            prop_assert!(people.iter().all(|one| *one <= highest));
        }

        #[test]
        fn a_higher_role_may_all_that_a_lower_one_may(low in role(), high in role(), scopes in scopes()) {
            prop_assume!(low <= high);
            let (less, more) = (permissions(low, &scopes), permissions(high, &scopes));
            prop_assert!(less.iter().all(|one| more.contains(one)));
        }

        #[test]
        fn a_narrower_credential_never_may_more(role in role(), own in scopes(), wide in scopes()) {
            if within(&own, &wide) {
                let (less, more) = (permissions(role, &own), permissions(role, &wide));
                prop_assert!(less.iter().all(|one| more.contains(one)));
            }
        }
    }

    #[test]
    fn all_scopes_are_not_within_some() {
        let some: Scope = "sessions:write".parse().unwrap();
        assert!(!within(&[], &[some]) && within(&[], &[]) && within(&[some], &[]));
    }
}
