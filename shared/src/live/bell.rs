//! Bells: "this tenant has news". They carry ids only; what there is to tell stands in Postgres.

use std::{fmt, str::FromStr};

use crate::id::{SessionId, TenantId};

/// What is rung for: a session's events, or those of no session.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct News {
    pub tenant_id: TenantId,
    pub session_id: Option<SessionId>,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.session_id {
            Some(session) => write!(f, "{}/{session}", self.tenant_id),
            None => write!(f, "{}/", self.tenant_id),
        }
    }
}

impl FromStr for News {
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
    fn news_read_back_as_they_are_written() {
        for session_id in [None, Some(SessionId::new())] {
            let news = News { tenant_id: TenantId::new(), session_id };
            assert_eq!(news.to_string().parse(), Ok(news));
        }
        assert!("x/".parse::<News>().is_err() && "".parse::<News>().is_err());
    }
}
