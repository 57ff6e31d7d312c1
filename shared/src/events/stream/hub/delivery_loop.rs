//! The delivery loop of a tenant: reads events round by round and fills the outboxes of its connections.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    events::stream::services::StreamServices,
    events::stream::{
        Cursor, Topic,
        frame::{self, ResyncReason},
        store::{self, TopicQuery, TopicRead},
    },
    kernel::{error::Result, id::SessionId},
};

use super::{
    ConnectionHub,
    outbox::CloseReason,
    rendered_page::RenderedPage,
    tenant_connections::{DueCursors, TenantConnections},
};

/// How many events one read requests.
const PAGE: i64 = 200;
/// How many consecutive reads serve subscribers that are behind before the others are served again.
const CATCH_UP: usize = 8;
/// How many sessions one statement reads.
const SESSIONS_PER_STATEMENT: usize = 20;
/// When to read again for committed events that cannot be delivered yet.
const PENDING_DELAY: Duration = Duration::from_millis(10);

/// When the next round is due. The greatest value wins.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum NextRound {
    WhenNotified,
    Soon,
    Now,
}

/// Serves the connections of a tenant until none is left.
pub(super) async fn run_delivery_loop(hub: &ConnectionHub, services: &StreamServices, tenant: &TenantConnections) {
    let mut all = true;
    while !hub.remove_if_empty(tenant) {
        match run_round(services, tenant, all).await {
            Ok(NextRound::Now) => all = false,
            Ok(NextRound::Soon) => {
                sleep(PENDING_DELAY).await;
                all = false;
            }
            Ok(NextRound::WhenNotified) => {
                all = timeout(services.stream_timings.poll, tenant.notified()).await.is_err();
            }
            Err(error) => {
                tracing::warn!(?error, tenant.id = %tenant.tenant_id, "the live stream could not be read; it will resume");
                sleep(Duration::from_millis(200)).await;
                all = true;
            }
        }
    }
}

/// Runs one round: reads once after each cursor that is due.
async fn run_round(services: &StreamServices, tenant: &TenantConnections, all: bool) -> Result<NextRound> {
    let mut due = NextRound::WhenNotified;
    let due_cursors: DueCursors = tenant.due_cursors(all);
    let mut logs: BTreeSet<(SessionId, i64)> = BTreeSet::new();
    for (topic, cursors) in &due_cursors {
        let ends = [cursors.last(), cursors.first()];
        match topic {
            Topic::Session(id) => logs.extend(ends.into_iter().flatten().filter_map(|cursor| match cursor {
                Cursor::Seq(seq) => Some((*id, *seq)),
                _ => None,
            })),
            _ => due = due.max(catch_up(services, tenant, *topic, cursors).await?),
        }
    }
    let logs: Vec<_> = logs.into_iter().collect();
    for chunk in logs.chunks(SESSIONS_PER_STATEMENT) {
        for (id, read) in store::read_session_logs(&services.db, tenant.tenant_id, chunk, PAGE).await? {
            due = due.max(deliver_page(services, tenant, Topic::Session(id), Cursor::Seq(i64::MAX), read).1);
        }
    }
    Ok(due)
}

/// Reads on for subscribers at different cursors. One read after the first cursor serves all if nobody is far behind.
/// Otherwise the subscribers that are furthest ahead are served next, so that they do not wait, and then those that are
/// behind, until all have caught up.
async fn catch_up(
    services: &StreamServices,
    tenant: &TenantConnections,
    topic: Topic,
    cursors: &BTreeSet<Cursor>,
) -> Result<NextRound> {
    let (Some(first), Some(last)) = (cursors.first().copied(), cursors.last().copied()) else {
        return Ok(NextRound::WhenNotified);
    };
    let mut ahead = NextRound::WhenNotified;
    let (mut reach, mut due) = read_and_deliver(services, tenant, topic, first).await?;
    if first != last && due == NextRound::Now && reach < last {
        ahead = read_and_deliver(services, tenant, topic, last).await?.1;
    }
    for _ in 1..CATCH_UP {
        if due != NextRound::Now {
            break;
        }
        (reach, due) = read_and_deliver(services, tenant, topic, reach).await?;
    }
    Ok(due.max(ahead))
}

async fn read_and_deliver(
    services: &StreamServices,
    tenant: &TenantConnections,
    topic: Topic,
    after: Cursor,
) -> Result<(Cursor, NextRound)> {
    let query = TopicQuery { topic, after, limit: PAGE, now: services.clock.now() };
    let read = store::read_topic(&services.db, tenant.tenant_id, query).await?;
    Ok(deliver_page(services, tenant, topic, after, read))
}

/// Delivers what was read. Returns where it ends and when more may be available.
fn deliver_page(
    services: &StreamServices,
    tenant: &TenantConnections,
    topic: Topic,
    after: Cursor,
    read: TopicRead,
) -> (Cursor, NextRound) {
    let end = |reason, why| {
        tenant.end_subscriptions(topic, after, &frame::resync_frame(topic, reason, None, services.clock.now()), why);
    };
    match read {
        TopicRead::Page(page) => {
            let rendered = RenderedPage::new(topic, &page, &services.cursors);
            tenant.deliver(&rendered, services.stream_timings.coalesce_after);
            let due = if page.has_more {
                NextRound::Now
            } else if page.has_pending {
                NextRound::Soon
            } else {
                NextRound::WhenNotified
            };
            (page.end, due)
        }
        TopicRead::SessionDeleted => {
            end(ResyncReason::Gone, CloseReason::Gone);
            (after, NextRound::WhenNotified)
        }
        TopicRead::UnknownCursor => {
            end(ResyncReason::CursorUnknown, CloseReason::Reconnect);
            (after, NextRound::WhenNotified)
        }
    }
}
