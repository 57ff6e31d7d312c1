//! The permissions of each role, by area, and which roles may manage which. Pure.

use crate::kernel::error::{Code, Error, Result};

use super::{Caller, Role, Scope, scope::Area};

/// The lowest role that may read or write in an area; `None` where nothing can be written. An operation may require
/// more: in `agents`, a member registers agents, and a lead changes them; in `secrets`, a member manages the own ones,
/// and a lead those of the tenant; in `tenants`, everyone reads the own tenant,
/// a lead changes some of its settings, and only an admin accesses other tenants.
pub const fn minimum_role(area: Area, write: bool) -> Option<Role> {
    match (area, write) {
        (Area::Audit | Area::Usage, true) => None,
        (Area::Sessions | Area::Agents, true) | (Area::ApiKeys | Area::Secrets, _) | (Area::Environments, false) => {
            Some(Role::Member)
        }
        (Area::Audit, false)
        | (Area::Environments | Area::Models | Area::Tenants | Area::FineTuning | Area::Users, true) => {
            Some(Role::Lead)
        }
        (_, false) => Some(Role::Viewer),
    }
}

/// Everything that a role allows within the scopes of a credential.
pub fn permissions(role: Role, scopes: &[Scope]) -> Vec<Scope> {
    let all = Area::ALL.into_iter().flat_map(|area| [false, true].map(|write| Scope { area, write }));
    all.filter(|one| minimum_role(one.area, one.write).is_some_and(|least| role >= least))
        .filter(|one| is_within(&[*one], scopes))
        .collect()
}

/// Whether a caller may create, change and delete users of a role, and assign that role.
pub fn may_manage(own: Role, theirs: Role) -> bool {
    own == Role::Admin || (own == Role::Lead && theirs < Role::Lead)
}

/// Whether a set of scopes allows nothing beyond another. An empty set allows everything.
pub fn is_within(scopes: &[Scope], of: &[Scope]) -> bool {
    of.is_empty() || (!scopes.is_empty() && scopes.iter().all(|one| of.iter().any(|own| own.allows(*one))))
}

/// Refuses a caller whose role is below `needed`.
pub fn require_role(caller: &Caller, needed: Role) -> Result<()> {
    if caller.role >= needed {
        return Ok(());
    }
    let detail = format!("This requires the role {} or higher; yours is {}.", needed.name(), caller.role.name());
    Err(Error::new(Code::Forbidden, detail))
}

/// Refuses a caller whose credential is restricted to other scopes.
pub fn require_scope(caller: &Caller, needed: Scope) -> Result<()> {
    if caller.scopes.is_empty() || caller.scopes.iter().any(|scope| scope.allows(needed)) {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden, format!("Your credential does not have the scope {needed}.")))
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
        fn nobody_manages_a_role_above_their_own(own in role(), theirs in role()) {
            prop_assert!(!may_manage(own, theirs) || theirs <= own);
            prop_assert!(own >= Role::Lead || !may_manage(own, theirs));
            prop_assert!(own != Role::Lead || may_manage(own, theirs) == (theirs < Role::Lead));
        }

        #[test]
        fn users_who_promote_each_other_never_exceed_the_highest_initial_role(
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
        fn a_higher_role_has_all_permissions_of_a_lower_one(low in role(), high in role(), scopes in scopes()) {
            prop_assume!(low <= high);
            let (less, more) = (permissions(low, &scopes), permissions(high, &scopes));
            prop_assert!(less.iter().all(|one| more.contains(one)));
        }

        #[test]
        fn a_narrower_credential_never_has_more_permissions(role in role(), own in scopes(), wide in scopes()) {
            if is_within(&own, &wide) {
                let (less, more) = (permissions(role, &own), permissions(role, &wide));
                prop_assert!(less.iter().all(|one| more.contains(one)));
            }
        }
    }

    #[test]
    fn an_empty_set_of_scopes_is_within_no_other() {
        let some: Scope = "sessions:write".parse().unwrap();
        assert!(!is_within(&[], &[some]) && is_within(&[], &[]) && is_within(&[some], &[]));
    }
}
