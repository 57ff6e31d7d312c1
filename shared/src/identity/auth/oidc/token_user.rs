//! The user of a token, as the cache of recent tokens keeps it.

use crate::{
    identity::auth::{Role, store::TenantIdentity},
    kernel::clock::Time,
};

use super::store::LoginUser;

/// The user of a token with its tenant and effective role.
pub(super) struct TokenUser {
    pub(super) tenant: TenantIdentity,
    pub(super) user: LoginUser,
    pub(super) role: Role,
    /// The token is refused from this time on.
    pub(super) until: Time,
}
