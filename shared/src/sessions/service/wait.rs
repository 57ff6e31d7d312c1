//! A call that waits for a session to reach a state.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    events::stream::{
        Cursor, StreamLimits, Subscriber, Topic,
        hub::feed::{FeedItem, TopicFeed},
    },
    identity::auth::Caller,
    kernel::{error::Result, id::SessionId},
    sessions::{Session, services::SessionServices, store::FoundSession},
};

use super::get;

/// How often a process that no notification reaches looks: at first, and at most.
const LOOKS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// Waits until a session is as wanted, up to `most`. Returns it as it then is, wanted or not.
///
/// Where this process serves streams, an event of the session wakes the call. A wait is bounded by the time of its
/// request, so it counts for the tenant's streams only.
pub async fn wait_until(
    sessions: &SessionServices,
    caller: &Caller,
    id: SessionId,
    is_wanted: impl Fn(&Session) -> bool,
    most: Duration,
) -> Result<FoundSession> {
    let until = Instant::now() + most;
    let mut found = get(sessions, caller, id).await?;
    if most.is_zero() || is_wanted(&found.session) {
        return Ok(found);
    }
    let mut feed = follow(sessions, caller, &found.session);
    let mut pause = LOOKS[0];
    while !is_wanted(&found.session) && Instant::now() < until {
        let ended = if let Some(feed) = &mut feed {
            timeout_at(until, status_change(feed)).await.is_ok_and(|changed| !changed)
        } else {
            let _ = timeout_at(until, sleep(pause)).await;
            pause = (pause * 2).min(LOOKS[1]);
            false
        };
        found = get(sessions, caller, id).await?;
        if ended {
            break;
        }
    }
    Ok(found)
}

fn follow(sessions: &SessionServices, caller: &Caller, session: &Session) -> Option<TopicFeed> {
    let hub = sessions.backend.hub().filter(|hub| hub.is_served())?;
    let place = (Topic::Session(session.id), Cursor::Seq(session.last_event_seq));
    let limits = StreamLimits { per_credential: usize::MAX, ..sessions.stream_limits };
    hub.follow(sessions, Subscriber::from(caller), place, limits).ok()
}

/// Waits for the next change of status; false if the feed has ended.
async fn status_change(feed: &mut TopicFeed) -> bool {
    loop {
        match feed.next().await {
            FeedItem::Event(event) if event.kind == "session.status_changed" => return true,
            FeedItem::Event(_) => {}
            FeedItem::Closed(_) => return false,
        }
    }
}
