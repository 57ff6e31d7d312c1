//! The use cases of the live stream: who may watch, what a message of a client asks for, and reading a topic as a log.

use crate::{
    app::App,
    auth::{
        Principal, Role,
        service::{Call, Credentials, Identity, identify},
        store::find_key,
    },
    error::{Code, Error, Result},
    session,
};

use super::{
    Cursor, Topic, Who,
    connection::{Connection, Subscription},
    frame::{self, Reason},
    message::Message,
    store::{self, Page, Read},
    ticket,
};

/// What somebody who wants to watch comes with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<'a> {
    pub ticket: Option<&'a str>,
    pub credentials: Credentials<'a>,
}

/// Who wants to watch: by a ticket, else by a credential.
pub async fn admit(app: &App, entry: Entry<'_>, call: Call) -> Result<Who> {
    if let Some(text) = entry.ticket {
        return Box::pin(ticket::take(app, text)).await;
    }
    match Box::pin(identify(app, entry.credentials, call)).await? {
        Identity::Caller(caller) => Ok(Who::from(&caller)),
        Identity::Agent(_) => {
            Err(Error::new(Code::Forbidden, "An agent's token reaches the endpoints of agents alone."))
        }
    }
}

/// Whether who watches still may: the key or the person is there, and so is the tenant. Asks Postgres, whatever this
/// process remembers.
pub async fn still_may(app: &App, who: &Who) -> Result<bool> {
    let now = app.clock.now();
    let role = match &who.principal {
        Principal::Key { id, .. } => find_key(&app.db, *id).await?.and_then(|key| {
            let alive = key.revoked_at.is_none_or(|at| at > now) && key.expires_at.is_none_or(|at| at > now);
            let owned = key.owner.as_ref().is_none_or(|owner| owner.is_active);
            let role = key.owner.as_ref().map_or(key.role, |owner| owner.role.min(key.role));
            (alive && owned && key.tenant_active && key.tenant_id == who.home_tenant_id).then_some(role)
        }),
        Principal::User { id, .. } => {
            let found = store::person(&app.db, who.home_tenant_id, *id).await?;
            found.filter(|(active, _)| *active).and_then(|(_, role)| Role::parse(&role))
        }
    };
    match role {
        None => Ok(false),
        Some(_) if who.tenant_id == who.home_tenant_id => Ok(true),
        Some(role) => Ok(role == Role::Admin && store::is_active(&app.db, who.tenant_id).await?),
    }
}

/// What a message of a client comes to.
#[derive(Clone, Debug)]
pub enum Heard {
    Subscribed {
        topic: Topic,
        subscription: Subscription,
        frame: String,
    },
    /// It has to read on by itself.
    Resync {
        topic: Topic,
        frame: String,
    },
    Unsubscribed {
        topic: Topic,
        frame: String,
    },
    Pong,
    Refused(String),
}

/// Hears what a client says.
pub async fn hear(app: &App, connection: &Connection, text: &str) -> Heard {
    match Box::pin(understood(app, connection, text)).await {
        Ok(heard) => heard,
        Err(error) => {
            if error.code() == Code::InternalError {
                tracing::error!(?error, "a message of a client failed");
            }
            Heard::Refused(frame::refused(&error, app.clock.now()))
        }
    }
}

async fn understood(app: &App, connection: &Connection, text: &str) -> Result<Heard> {
    let now = app.clock.now();
    let (topic, after, filter) = match Message::parse(text)? {
        Message::Pong => return Ok(Heard::Pong),
        Message::Unsubscribe(topic) => return Ok(Heard::Unsubscribed { topic, frame: frame::ended(topic, now) }),
        Message::Subscribe { topic, after, filter } => (topic, after, filter),
    };
    connection.has_room_for(topic)?;
    connection.who.may_watch(topic)?;
    let resync = |reason, after| Ok(Heard::Resync { topic, frame: frame::resync(topic, reason, after, now) });
    let head = head(app, &connection.who, topic).await?;
    let cursor = match after {
        Some(after) if after.is_expired(now) => return resync(Reason::CursorExpired, None),
        // One of a session is ahead of its log when the database was set back.
        Some(after) if matches!((after, head), (Cursor::Seq(asked), Cursor::Seq(last)) if asked > last) => {
            return resync(Reason::CursorUnknown, None);
        }
        Some(after) => match store::read(&app.db, connection.who.tenant_id, topic, after, 0, now).await? {
            Read::Unknown => return resync(Reason::CursorUnknown, None),
            Read::Page(_) | Read::Gone => after,
        },
        None => head,
    };
    let frame = frame::confirmed(topic, cursor, now);
    Ok(Heard::Subscribed { topic, subscription: Subscription { cursor, filter }, frame })
}

/// Where a topic stands; another tenant's session is as unknown as one that does not exist.
async fn head(app: &App, who: &Who, topic: Topic) -> Result<Cursor> {
    let head = store::head(&app.db, who.tenant_id, topic, app.clock.now()).await?;
    head.ok_or_else(|| match topic {
        Topic::Session(id) => session::store::not_found(id),
        _ => Error::internal("a topic without a head"),
    })
}

/// A stretch of a topic, as the log that a client reads after a resync.
pub async fn log(app: &App, who: &Who, topic: Topic, after: Option<Cursor>, most: i64) -> Result<Page> {
    who.may_watch(topic)?;
    let now = app.clock.now();
    let after = after.unwrap_or(Cursor::beginning(topic));
    if after.is_expired(now) {
        return Err(Error::field("after", "is older than what is kept; leave it out to begin with what is"));
    }
    match store::read(&app.db, who.tenant_id, topic, after, most, now).await? {
        Read::Page(page) => Ok(page),
        Read::Unknown => Err(Error::field("after", "is not a cursor of this topic")),
        Read::Gone => Err(match topic {
            Topic::Session(id) => session::store::not_found(id),
            _ => Error::internal("a topic that is gone"),
        }),
    }
}
