//! Minds the connections of this process: heartbeats, the dead, the slow, the old, and those whose credential ended.

use std::collections::HashMap;

use tokio::time::{Instant, interval};

use crate::{
    app::App,
    live::{
        Pace, Who,
        frame::{self, Reason},
        service::still_may,
    },
};

use super::{
    Hub,
    mailbox::Cut,
    room::{Kept, Room},
};

pub(super) async fn run(hub: &Hub, app: &App) {
    let pace = app.settings.live;
    tokio::join!(mind(hub, app, &pace), recheck(hub, app, &pace));
}

async fn mind(hub: &Hub, app: &App, pace: &Pace) {
    let shortest = pace.heartbeat.min(pace.dead_after).min(pace.resync_after).min(pace.longest);
    let mut ticks =
        interval((shortest / 10).clamp(std::time::Duration::from_millis(10), std::time::Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        for room in hub.all() {
            room.each(|kept| look_at(app, pace, kept));
            room.beat(pace.heartbeat, app.clock.now());
        }
    }
}

fn look_at(app: &App, pace: &Pace, kept: &mut Kept) {
    let now = app.clock.now();
    if kept.seen_at.elapsed() >= pace.dead_after {
        kept.mailbox.cut(Cut::Dead);
    } else if (now - kept.connection.opened_at).to_std().is_ok_and(|age| age >= pace.longest) {
        kept.mailbox.cut(Cut::ComeAgain);
    } else if kept.mailbox.stalled_for() >= pace.resync_after {
        for (topic, taken) in kept.mailbox.drop_events() {
            kept.connection.topics.remove(&topic);
            kept.mailbox.say(frame::resync(topic, Reason::TooSlow, taken, now));
        }
    }
}

/// Cuts those who may no longer watch: each credential is looked up once a round, whatever watches with it.
async fn recheck(hub: &Hub, app: &App, pace: &Pace) {
    loop {
        let begun = Instant::now();
        for room in hub.all() {
            if let Err(error) = recheck_room(app, &room).await {
                tracing::warn!(?error, "who watches could not be looked up; it is tried again");
            }
        }
        tokio::time::sleep_until(begun + pace.recheck).await;
    }
}

async fn recheck_room(app: &App, room: &Room) -> crate::error::Result<()> {
    let mut known: HashMap<String, (Who, bool)> = HashMap::new();
    let key = |who: &Who| format!("{} {}", who.principal.key(), who.home_tenant_id);
    room.each(|kept| drop(known.insert(key(&kept.connection.who), (kept.connection.who.clone(), true))));
    for (who, may) in known.values_mut() {
        *may = still_may(app, who).await?;
    }
    room.each(|kept| {
        if known.get(&key(&kept.connection.who)).is_some_and(|(_, may)| !may) {
            kept.mailbox.cut(Cut::Revoked);
        }
    });
    Ok(())
}
