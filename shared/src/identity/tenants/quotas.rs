//! Limits on what a tenant stores, beside the limits on what it runs. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::error::{Code, Error, Result, ValidationErrors};

/// The largest limit that can be set.
const MAX_LIMIT: i64 = 1_000_000_000_000_000;

/// The limits of one tenant on what it stores. An absent limit is that of the platform; 0 means unlimited.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaOverrides {
    /// The largest number of sessions that have not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub open_sessions: Option<i64>,
    /// The largest size of events and artifacts in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub stored_bytes: Option<i64>,
    /// The largest number of API keys that are valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub api_keys: Option<i64>,
    /// The largest number of registered agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub agents: Option<i64>,
}

impl QuotaOverrides {
    /// Records each limit that is out of range.
    pub fn validate(&self, refusals: &mut ValidationErrors) {
        let limits = [
            ("quotas.open_sessions", self.open_sessions),
            ("quotas.stored_bytes", self.stored_bytes),
            ("quotas.api_keys", self.api_keys),
            ("quotas.agents", self.agents),
        ];
        for (field, limit) in limits {
            if limit.is_some_and(|limit| !(0..=MAX_LIMIT).contains(&limit)) {
                refusals.add(field, format!("must be 0 to {MAX_LIMIT}; 0 = unlimited"));
            }
        }
    }
}

/// The limits on what a tenant stores; 0 = unlimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StorageQuotas {
    pub open_sessions: i64,
    pub stored_bytes: i64,
    pub api_keys: i64,
    pub agents: i64,
}

impl Default for StorageQuotas {
    fn default() -> Self {
        Self { open_sessions: 10_000, stored_bytes: 50_000_000_000, api_keys: 1000, agents: 500 }
    }
}

impl StorageQuotas {
    /// The limits of a tenant: its own, else these of the platform.
    #[must_use]
    pub fn with_overrides(self, own: QuotaOverrides) -> Self {
        Self {
            open_sessions: own.open_sessions.unwrap_or(self.open_sessions),
            stored_bytes: own.stored_bytes.unwrap_or(self.stored_bytes),
            api_keys: own.api_keys.unwrap_or(self.api_keys),
            agents: own.agents.unwrap_or(self.agents),
        }
    }
}

/// What a tenant stores, as it was last counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StoredAmounts {
    pub open_sessions: i64,
    pub stored_bytes: i64,
}

/// Refuses one more of something of which `used` are there already.
pub fn check_quota(what: &str, limit: i64, used: i64) -> Result<()> {
    if limit == 0 || used < limit {
        return Ok(());
    }
    Err(Error::new(Code::QuotaExceeded, format!("The tenant has {used} {what}, and its limit is {limit}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_holds_at_its_limit_and_zero_is_none() {
        assert!(check_quota("keys", 2, 1).is_ok());
        assert_eq!(check_quota("keys", 2, 2).unwrap_err().code(), Code::QuotaExceeded);
        assert!(check_quota("keys", 0, i64::MAX).is_ok());
        let own = QuotaOverrides { api_keys: Some(0), ..QuotaOverrides::default() };
        let limits = StorageQuotas::default().with_overrides(own);
        assert_eq!((limits.api_keys, limits.agents), (0, 500));
    }
}
