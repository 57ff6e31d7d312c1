//! Reads for the connections of a tenant, round by round, and fills their mailboxes.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    app::App,
    error::Result,
    id::SessionId,
    live::{
        Cursor, Topic,
        frame::{self, Reason},
        store::{self, Read},
    },
};

use super::{
    Hub,
    room::{Room, Wanted},
};

/// How many events one reading asks for.
const PAGE: i64 = 200;
/// How many readings in a row serve those who are behind, before those who are not are looked at again.
const CATCH_UP: usize = 8;
/// How many sessions one statement reads.
const LOGS: usize = 20;
/// What is written and not to be told yet is looked for again after this.
const UNSETTLED: Duration = Duration::from_millis(10);

/// When the next round is due. The later ones give way to the earlier.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    WhenRung,
    Soon,
    Now,
}

/// Serves a room until nobody is in it.
pub(super) async fn run(hub: &Hub, app: &App, room: &Room) {
    let mut all = true;
    while !hub.leave_empty(room) {
        match round(app, room, all).await {
            Ok(Due::Now) => all = false,
            Ok(Due::Soon) => {
                sleep(UNSETTLED).await;
                all = false;
            }
            Ok(Due::WhenRung) => all = timeout(app.settings.live.poll, room.rung()).await.is_err(),
            Err(error) => {
                tracing::warn!(?error, tenant.id = %room.tenant_id, "the live stream cannot be read; it goes on where it is");
                sleep(Duration::from_millis(200)).await;
                all = true;
            }
        }
    }
}

/// Reads once what is wanted.
async fn round(app: &App, room: &Room, all: bool) -> Result<Due> {
    let mut due = Due::WhenRung;
    let wanted: Wanted = room.wanted(all);
    let mut logs: BTreeSet<(SessionId, i64)> = BTreeSet::new();
    for (topic, cursors) in &wanted {
        let ends = [cursors.last(), cursors.first()];
        match topic {
            Topic::Session(id) => logs.extend(ends.into_iter().flatten().filter_map(|cursor| match cursor {
                Cursor::Seq(seq) => Some((*id, *seq)),
                _ => None,
            })),
            _ => due = due.max(catch_up(app, room, *topic, cursors).await?),
        }
    }
    let logs: Vec<_> = logs.into_iter().collect();
    for some in logs.chunks(LOGS) {
        for (id, read) in store::logs(&app.db, room.tenant_id, some, PAGE).await? {
            due = due.max(take(app, room, Topic::Session(id), Cursor::Seq(i64::MAX), read).1);
        }
    }
    Ok(due)
}

/// Those who are furthest do not wait for the others: one reading from the last one on serves all, when nobody is far
/// behind; else they are read for next, and then those who are behind, until all stand together.
async fn catch_up(app: &App, room: &Room, topic: Topic, cursors: &BTreeSet<Cursor>) -> Result<Due> {
    let (Some(first), Some(last)) = (cursors.first().copied(), cursors.last().copied()) else {
        return Ok(Due::WhenRung);
    };
    let mut ahead = Due::WhenRung;
    let (mut reach, mut due) = step(app, room, topic, first).await?;
    if first != last && due == Due::Now && reach < last {
        ahead = step(app, room, topic, last).await?.1;
    }
    for _ in 1..CATCH_UP {
        if due != Due::Now {
            break;
        }
        (reach, due) = step(app, room, topic, reach).await?;
    }
    Ok(due.max(ahead))
}

async fn step(app: &App, room: &Room, topic: Topic, after: Cursor) -> Result<(Cursor, Due)> {
    let read = store::read(&app.db, room.tenant_id, topic, after, PAGE, app.clock.now()).await?;
    Ok(take(app, room, topic, after, read))
}

/// Hands on what was read: where it ends, and when there may be more.
fn take(app: &App, room: &Room, topic: Topic, after: Cursor, read: Read) -> (Cursor, Due) {
    let end = |reason| room.end(topic, after, &frame::resync(topic, reason, None, app.clock.now()));
    match read {
        Read::Page(page) => {
            room.deliver(topic, &page, app.settings.live.coalesce_after);
            let due = if page.more {
                Due::Now
            } else if page.unsettled {
                Due::Soon
            } else {
                Due::WhenRung
            };
            (page.end, due)
        }
        Read::Gone => {
            end(Reason::Gone);
            (after, Due::WhenRung)
        }
        Read::Unknown => {
            end(Reason::CursorUnknown);
            (after, Due::WhenRung)
        }
    }
}
