//! Values of secrets, encrypted for one tenant, owner and name: a value that is copied to another row does not open.

use crate::kernel::{
    encryption::{self, Pepper, Purpose},
    error::{Error, Result},
    id::TenantId,
};

use super::SecretOwner;

/// What the value of a secret is bound to. No two secrets have the same.
fn encryption_context(tenant_id: TenantId, owner: SecretOwner, name: &str) -> Vec<u8> {
    let (kind, id) = match owner {
        SecretOwner::Tenant => (b't', tenant_id.0),
        SecretOwner::Environment(id) => (b'e', id.0),
        SecretOwner::User(id) => (b'u', id.0),
    };
    [tenant_id.0.as_bytes().as_slice(), &[kind], id.as_bytes(), name.as_bytes()].concat()
}

pub(super) fn seal_value(
    pepper: &Pepper,
    tenant_id: TenantId,
    owner: SecretOwner,
    name: &str,
    value: &str,
) -> Result<Vec<u8>> {
    let context = encryption_context(tenant_id, owner, name);
    encryption::seal_bytes(pepper, Purpose::Secret, &context, value.as_bytes())
}

pub(super) fn open_value(
    pepper: &Pepper,
    tenant_id: TenantId,
    owner: SecretOwner,
    name: &str,
    sealed: &[u8],
) -> Result<String> {
    let context = encryption_context(tenant_id, owner, name);
    let plain = encryption::open_bytes(pepper, Purpose::Secret, &context, sealed)?;
    String::from_utf8(plain).map_err(|_| Error::internal("a secret is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::{EnvironmentId, UserId};

    #[test]
    fn a_value_opens_for_its_tenant_owner_and_name_alone() {
        let pepper = Pepper(vec![7; 32]);
        let (tenant, other) = (TenantId::new(), TenantId::new());
        let environment = EnvironmentId::new();
        let owner = SecretOwner::Environment(environment);
        let sealed = seal_value(&pepper, tenant, owner, "TOKEN", "hush").unwrap();
        assert_eq!(open_value(&pepper, tenant, owner, "TOKEN", &sealed).unwrap(), "hush");
        for (tenant, owner, name) in [
            (other, owner, "TOKEN"),
            (tenant, SecretOwner::Tenant, "TOKEN"),
            (tenant, SecretOwner::User(UserId(environment.0)), "TOKEN"),
            (tenant, SecretOwner::Environment(EnvironmentId::new()), "TOKEN"),
            (tenant, owner, "TOKEN2"),
        ] {
            open_value(&pepper, tenant, owner, name, &sealed).unwrap_err();
        }
    }
}
