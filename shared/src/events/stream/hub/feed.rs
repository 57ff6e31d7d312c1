//! A topic as a response of this process follows it: an event stream, or a call that waits for a change. It is a
//! connection like that of a WebSocket: it shares its reads, its credential is checked again, and it counts.

use std::sync::Arc;

use crate::{
    events::stream::{
        Cursor, StreamLimits, Subscriber, Topic,
        connection::{Connection, Subscription},
        frame::StreamEvent,
        message::EventFilter,
        services::StreamServices,
    },
    kernel::{error::Result, id::RequestId},
};

use super::{
    ConnectionHandle, ConnectionHub,
    outbox::{CloseReason, OutboxItem},
    tenant_connections::DeliveryForm,
};

/// The events of a topic, as they happen.
pub struct TopicFeed(ConnectionHandle);

/// What a feed delivers.
#[derive(Clone, Debug)]
pub enum FeedItem {
    Event(Arc<StreamEvent>),
    /// The feed has ended.
    Closed(CloseReason),
}

impl ConnectionHub {
    /// Follows a topic after a cursor. Whether the subscriber may read it has been checked.
    pub fn follow(
        &self,
        services: &StreamServices,
        subscriber: Subscriber,
        (topic, cursor): (Topic, Cursor),
        limits: StreamLimits,
    ) -> Result<TopicFeed> {
        let connection = Connection::new(RequestId::new().to_string(), subscriber, services.clock.now());
        let handle = self.register_as(connection, DeliveryForm::Events, limits)?;
        let subscription = Subscription { cursor, filter: EventFilter::default() };
        handle.tenant.subscribe(&handle.id, topic, subscription, String::new());
        Ok(TopicFeed(handle))
    }
}

impl TopicFeed {
    /// The next event, or why there is none any more. An event is not lost if the wait is abandoned.
    pub async fn next(&mut self) -> FeedItem {
        loop {
            match self.0.outbox.next_item().await {
                OutboxItem::Close(why) => return FeedItem::Closed(why),
                OutboxItem::Frame(frame) => {
                    self.0.record_write();
                    if let Some(event) = frame.event {
                        return FeedItem::Event(event);
                    }
                }
            }
        }
    }
}
