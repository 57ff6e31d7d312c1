//! The URL and the version of a tenant.

use shared::identity::tenants::Tenant;

use crate::http::version::Versioned;

impl Versioned for Tenant {
    fn location(&self) -> String {
        format!("/api/v1/tenants/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
