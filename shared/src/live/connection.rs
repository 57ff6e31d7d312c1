//! A connection: who watches, since when, and what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    auth::{Caller, Principal, Role, Scope, service::require_scope},
    clock::Time,
    error::{Code, Error, Result},
    id::TenantId,
};

use super::{Cursor, Topic, message::Filter};

/// Who watches: what a ticket and a connection keep of a caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Who {
    /// Whose events.
    pub tenant_id: TenantId,
    pub home_tenant_id: TenantId,
    pub role: Role,
    pub scopes: Vec<String>,
    pub principal: Principal,
}

impl Who {
    /// The same as a caller of the API.
    pub fn caller(&self) -> Result<Caller> {
        let scopes =
            self.scopes.iter().map(|scope| scope.parse::<Scope>().map_err(Error::internal)).collect::<Result<_>>()?;
        Ok(Caller {
            tenant_id: self.tenant_id,
            home_tenant_id: self.home_tenant_id,
            role: self.role,
            scopes,
            principal: self.principal.clone(),
            request_id: "live".into(),
            address: None,
        })
    }

    /// Refuses a topic that the credential may not read.
    pub fn may_watch(&self, topic: Topic) -> Result<()> {
        match topic.area() {
            Some(area) => require_scope(&self.caller()?, Scope { area, write: false }),
            None => Ok(()),
        }
    }
}

impl From<&Caller> for Who {
    fn from(caller: &Caller) -> Self {
        Self {
            tenant_id: caller.tenant_id,
            home_tenant_id: caller.home_tenant_id,
            role: caller.role,
            scopes: caller.scopes.iter().map(ToString::to_string).collect(),
            principal: caller.principal.clone(),
        }
    }
}

/// What a connection watches of one topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// Up to where all was sent.
    pub cursor: Cursor,
    #[serde(default)]
    pub filter: Filter,
}

/// An open connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: String,
    pub who: Who,
    pub opened_at: Time,
    pub topics: BTreeMap<Topic, Subscription>,
}

impl Connection {
    pub fn new(id: String, who: Who, opened_at: Time) -> Self {
        Self { id, who, opened_at, topics: BTreeMap::new() }
    }

    /// Refuses one topic more than a connection may watch.
    pub fn has_room_for(&self, topic: Topic) -> Result<()> {
        if self.topics.len() < super::message::MAX_TOPICS || self.topics.contains_key(&topic) {
            return Ok(());
        }
        let most = super::message::MAX_TOPICS;
        Err(Error::new(Code::QuotaExceeded, format!("A connection watches at most {most} topics.")))
    }
}
