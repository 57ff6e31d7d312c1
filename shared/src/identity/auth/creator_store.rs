//! SQL of the rights of creators.

use tokio_postgres::Row;

use crate::{
    kernel::{
        actor::{Actor, ActorKind},
        clock::Time,
        error::Result,
        id::{KeyId, TenantId, UserId},
    },
    platform::postgres::Db,
};

use super::{
    Role, Scope,
    store::{parse_role, parse_scopes},
};

/// What a user or a key may do now.
#[derive(Clone, Debug)]
pub(super) struct CreatorRights {
    pub(super) role: Role,
    /// Empty = everything that the role allows.
    pub(super) scopes: Vec<Scope>,
}

/// A key and its successors, as far as they are valid, with no more than the role of their user.
const KEYS: &str = "
    with recursive chain as (
        select k.* from api_keys k where k.tenant_id = $1 and k.id = $2
        union
        select n.* from api_keys n join chain c on n.tenant_id = c.tenant_id and n.id = c.rotated_to
    )
    select k.role, k.scopes, u.role as user_role
    from chain k left join users u on u.tenant_id = k.tenant_id and u.id = k.user_id
    where (k.revoked_at is null or k.revoked_at > $3) and (k.expires_at is null or k.expires_at > $3)
      and (k.user_id is null or u.is_active)";

const USER: &str = "select role, '{}'::text[] as scopes, role as user_role from users
                    where tenant_id = $1 and id = $2 and is_active and $3::timestamptz is not null";

/// The rights of a user or a key of the tenant; nothing for one that has ended or is of another tenant.
pub(super) async fn find_rights(
    db: &Db,
    tenant_id: TenantId,
    creator: &Actor,
    now: Time,
) -> Result<Vec<CreatorRights>> {
    let rows = match creator.kind {
        ActorKind::User => match creator.id.parse::<UserId>() {
            Ok(id) => db.read(tenant_id, USER, &[&tenant_id, &id, &now]).await?,
            Err(_) => Vec::new(),
        },
        ActorKind::Key => match creator.id.parse::<KeyId>() {
            Ok(id) => db.read(tenant_id, KEYS, &[&tenant_id, &id, &now]).await?,
            Err(_) => Vec::new(),
        },
        ActorKind::Agent | ActorKind::Runner | ActorKind::System => Vec::new(),
    };
    rows.iter().map(read_rights).collect()
}

fn read_rights(row: &Row) -> Result<CreatorRights> {
    let role = parse_role(row.try_get("role")?)?;
    let of_user = row.try_get::<_, Option<&str>>("user_role")?.map(parse_role).transpose()?;
    let scopes = parse_scopes(&row.try_get::<_, Vec<String>>("scopes")?)?;
    Ok(CreatorRights { role: of_user.map_or(role, |most| most.min(role)), scopes: scopes.to_vec() })
}
