//! A connection to the live stream: its subscriber, its age and its subscriptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    identity::auth::{Caller, Principal, Role, Scope, require_scope},
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::TenantId,
    },
};

use super::{Cursor, Topic, message::EventFilter};

/// The caller behind a stream, as a ticket and a connection store it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscriber {
    /// The tenant whose events the subscriber receives.
    pub tenant_id: TenantId,
    pub home_tenant_id: TenantId,
    pub role: Role,
    pub scopes: Vec<String>,
    pub principal: Principal,
    /// When the token of the subscriber ends; `None` for a key, whose end is looked up.
    #[serde(default)]
    pub valid_until: Option<Time>,
}

impl Subscriber {
    /// A text that identifies the credential: connections with the same one are authorized together.
    pub fn credential_key(&self) -> String {
        let until = self.valid_until.map_or(0, |until| until.timestamp_millis());
        format!("{} {} {until}", self.principal.principal_key(), self.home_tenant_id)
    }

    /// The same caller, as the API sees it.
    pub fn to_caller(&self) -> Result<Caller> {
        let scopes =
            self.scopes.iter().map(|scope| scope.parse::<Scope>().map_err(Error::internal)).collect::<Result<_>>()?;
        Ok(Caller {
            tenant_id: self.tenant_id,
            home_tenant_id: self.home_tenant_id,
            role: self.role,
            scopes,
            principal: self.principal.clone(),
            valid_until: self.valid_until,
            request_id: "live".into(),
            address: None,
        })
    }

    /// Refuses a topic that the scopes of the credential do not cover.
    pub fn check_topic_access(&self, topic: Topic) -> Result<()> {
        match topic.scope_area() {
            Some(area) => require_scope(&self.to_caller()?, Scope { area, write: false }),
            None => Ok(()),
        }
    }
}

impl From<&Caller> for Subscriber {
    fn from(caller: &Caller) -> Self {
        Self {
            tenant_id: caller.tenant_id,
            home_tenant_id: caller.home_tenant_id,
            role: caller.role,
            scopes: caller.scopes.iter().map(ToString::to_string).collect(),
            principal: caller.principal.clone(),
            valid_until: caller.valid_until,
        }
    }
}

/// The subscription of a connection to one topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// The last position of which everything was sent.
    pub cursor: Cursor,
    #[serde(default)]
    pub filter: EventFilter,
}

/// An open connection and its subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: String,
    pub subscriber: Subscriber,
    pub opened_at: Time,
    pub topics: BTreeMap<Topic, Subscription>,
}

impl Connection {
    pub fn new(id: String, subscriber: Subscriber, opened_at: Time) -> Self {
        Self { id, subscriber, opened_at, topics: BTreeMap::new() }
    }

    /// Refuses a topic that would exceed the number of topics per connection.
    pub fn check_topic_count(&self, topic: Topic) -> Result<()> {
        if self.topics.len() < super::message::MAX_TOPICS || self.topics.contains_key(&topic) {
            return Ok(());
        }
        let most = super::message::MAX_TOPICS;
        Err(Error::new(Code::QuotaExceeded, format!("A connection subscribes to at most {most} topics.")))
    }
}
