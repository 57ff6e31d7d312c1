//! Notifications that a tenant has new events. They carry ids only; the events are in Postgres.

use std::{fmt, str::FromStr};

use crate::kernel::id::{SessionId, TenantId};

/// Names the log that has new events: a session's, or the tenant's own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TenantNotification {
    pub tenant_id: TenantId,
    pub session_id: Option<SessionId>,
}

impl fmt::Display for TenantNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.session_id {
            Some(session) => write!(f, "{}/{session}", self.tenant_id),
            None => write!(f, "{}/", self.tenant_id),
        }
    }
}

impl FromStr for TenantNotification {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (tenant, session) = text.split_once('/').ok_or(())?;
        let session_id = if session.is_empty() { None } else { Some(session.parse().map_err(drop)?) };
        Ok(Self { tenant_id: tenant.parse().map_err(drop)?, session_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_reads_back_as_it_was_written() {
        for session_id in [None, Some(SessionId::new())] {
            let notification = TenantNotification { tenant_id: TenantId::new(), session_id };
            assert_eq!(notification.to_string().parse(), Ok(notification));
        }
        assert!("x/".parse::<TenantNotification>().is_err() && "".parse::<TenantNotification>().is_err());
    }
}
