//! Whether the creator of something may still do what is done on their behalf, such as by an agent at work for them.

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::TenantId,
    },
    platform::postgres::Db,
};

use super::{
    Scope,
    creator_store::{CreatorRights, find_rights},
    permission::minimum_role,
};

/// Whether rights allow a use: their role and their scopes do.
fn allow(rights: &CreatorRights, needed: Scope) -> bool {
    let CreatorRights { role, scopes } = rights;
    minimum_role(needed.area, needed.write).is_some_and(|least| *role >= least)
        && (scopes.is_empty() || scopes.iter().any(|scope| scope.allows(needed)))
}

/// Refuses what the creator may not do any more: a user that was removed or deactivated, a key that has ended and was
/// not rotated, and a role or scopes that were taken away.
pub async fn check_creator(db: &Db, tenant_id: TenantId, creator: &Actor, needed: Scope, now: Time) -> Result<()> {
    let rights = find_rights(db, tenant_id, creator, now).await?;
    if rights.iter().any(|rights| allow(rights, needed)) {
        return Ok(());
    }
    let detail = format!("{:?}, on whose behalf the agent works, may not do this in the tenant.", creator.name);
    Err(Error::new(Code::CreatorForbidden, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::auth::Role;

    #[test]
    fn rights_allow_what_both_the_role_and_the_scopes_allow() {
        let needed: Scope = "sessions:write".parse().unwrap();
        for (role, scopes, allowed) in [
            (Role::Member, vec![], true),
            (Role::Viewer, vec![], false),
            (Role::Lead, vec!["sessions:write"], true),
            (Role::Lead, vec!["sessions:read"], false),
            (Role::Lead, vec!["agents:write"], false),
        ] {
            let scopes = scopes.into_iter().map(|scope| scope.parse().unwrap()).collect();
            let rights = CreatorRights { role, scopes };
            assert_eq!(allow(&rights, needed), allowed, "{rights:?}");
        }
    }
}
