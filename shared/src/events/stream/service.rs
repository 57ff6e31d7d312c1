//! The use cases of the live stream: authorizing a subscriber, handling its messages, and reading a topic as a log.

use crate::{
    events::stream::services::StreamServices,
    identity::auth::{CallOrigin, Credentials, identify_caller},
    kernel::error::{Code, Error, Result},
};

use super::{
    Cursor, Subscriber, Topic,
    connection::{Connection, Subscription},
    frame::{self, ResyncReason},
    message::ClientMessage,
    store::{self, EventPage, TopicQuery, TopicRead},
    ticket,
};

/// The credentials of a client that opens a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamCredentials<'a> {
    pub ticket: Option<&'a str>,
    pub credentials: Credentials<'a>,
}

/// Identifies the subscriber by its ticket, or else by its credential.
pub async fn authenticate_subscriber(
    services: &StreamServices,
    credentials: StreamCredentials<'_>,
    call: CallOrigin,
) -> Result<Subscriber> {
    if let Some(text) = credentials.ticket {
        return Box::pin(ticket::redeem_ticket(services, text)).await;
    }
    let caller = Box::pin(identify_caller(services, credentials.credentials, call)).await?.into_caller()?;
    Ok(Subscriber::from(&caller))
}

/// The effect of a client message, with the frame that answers it.
#[derive(Clone, Debug)]
pub enum ClientAction {
    Subscribe {
        topic: Topic,
        subscription: Subscription,
        frame: String,
    },
    /// The client has to read the log by itself.
    Resync {
        topic: Topic,
        frame: String,
    },
    Unsubscribe {
        topic: Topic,
        frame: String,
    },
    Pong,
    Reject(String),
}

/// Handles a message of a client. An invalid one is answered with an error frame.
pub async fn handle_client_message(services: &StreamServices, connection: &Connection, text: &str) -> ClientAction {
    match Box::pin(interpret_message(services, connection, text)).await {
        Ok(action) => action,
        Err(error) => {
            if error.code() == Code::InternalError {
                tracing::error!(?error, "a client message failed");
            }
            ClientAction::Reject(frame::error_frame(&error, services.clock.now()))
        }
    }
}

async fn interpret_message(services: &StreamServices, connection: &Connection, text: &str) -> Result<ClientAction> {
    let now = services.clock.now();
    let (topic, after, filter) = match ClientMessage::parse(&services.cursors, text)? {
        ClientMessage::Pong => return Ok(ClientAction::Pong),
        ClientMessage::Unsubscribe(topic) => {
            return Ok(ClientAction::Unsubscribe { topic, frame: frame::subscription_ended(topic, now) });
        }
        ClientMessage::Subscribe { topic, after, filter } => (topic, after, filter),
    };
    connection.check_topic_count(topic)?;
    connection.subscriber.check_topic_access(topic)?;
    let start = find_start(services, &connection.subscriber, topic, after).await?;
    let cursor = match start {
        StreamStart { resync: Some(reason), .. } => {
            return Ok(ClientAction::Resync { topic, frame: frame::resync_frame(topic, reason, None, now) });
        }
        StreamStart { cursor, .. } => cursor,
    };
    let frame = frame::subscription_confirmed(topic, &services.cursors.write_cursor(cursor), now);
    Ok(ClientAction::Subscribe { topic, subscription: Subscription { cursor, filter }, frame })
}

/// Where a subscriber starts in a topic.
#[derive(Clone, Copy, Debug)]
pub struct StreamStart {
    /// The position after which events follow.
    pub cursor: Cursor,
    /// Why the wanted cursor cannot be used, so that the position is the head of the topic.
    pub resync: Option<ResyncReason>,
}

/// The position of a subscriber that wants to start after a cursor, or with new events.
pub async fn find_start(
    services: &StreamServices,
    subscriber: &Subscriber,
    topic: Topic,
    after: Option<Cursor>,
) -> Result<StreamStart> {
    let now = services.clock.now();
    let head = topic_head(services, subscriber, topic).await?;
    let at_head = |reason| Ok(StreamStart { cursor: head, resync: Some(reason) });
    let Some(after) = after else { return Ok(StreamStart { cursor: head, resync: None }) };
    if after.is_expired(now) {
        return at_head(ResyncReason::CursorExpired);
    }
    // A session cursor is ahead of its log if the database was restored from a backup.
    if matches!((after, head), (Cursor::Seq(asked), Cursor::Seq(last)) if asked > last) {
        return at_head(ResyncReason::CursorUnknown);
    }
    let query = TopicQuery { topic, after, limit: 0, now };
    match store::read_topic(&services.db, subscriber.tenant_id, query).await? {
        TopicRead::UnknownCursor => at_head(ResyncReason::CursorUnknown),
        TopicRead::Page(_) | TopicRead::SessionDeleted => Ok(StreamStart { cursor: after, resync: None }),
    }
}

/// The head of a topic. A session of another tenant is reported like one that does not exist.
async fn topic_head(services: &StreamServices, subscriber: &Subscriber, topic: Topic) -> Result<Cursor> {
    let head = store::find_head(&services.db, subscriber.tenant_id, topic, services.clock.now()).await?;
    head.ok_or_else(|| match topic {
        Topic::Session(id) => Error::session_not_found(id),
        _ => Error::internal("a topic without a head"),
    })
}

/// A page of a topic's events: the log that a client reads after a resync.
pub async fn read_topic_log(
    services: &StreamServices,
    subscriber: &Subscriber,
    topic: Topic,
    after: Option<Cursor>,
    limit: i64,
) -> Result<EventPage> {
    subscriber.check_topic_access(topic)?;
    let now = services.clock.now();
    let after = after.unwrap_or(Cursor::beginning(topic));
    if after.is_expired(now) {
        return Err(Error::invalid_field(
            "after",
            "is older than the kept events; omit it to start with the oldest kept one",
        ));
    }
    match store::read_topic(&services.db, subscriber.tenant_id, TopicQuery { topic, after, limit, now }).await? {
        TopicRead::Page(page) => Ok(page),
        TopicRead::UnknownCursor => Err(Error::invalid_field("after", "is not a cursor of this topic")),
        TopicRead::SessionDeleted => Err(match topic {
            Topic::Session(id) => Error::session_not_found(id),
            _ => Error::internal("a topic that is gone"),
        }),
    }
}
