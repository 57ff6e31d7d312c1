//! The job `Broadcast`: sends to all connections of a tenant what they have not been told, and looks after them.
//!
//! Whoever rings has one round; one round in a while also minds the connections and has itself called again, as long as there
//! are any. That finds what nobody rang for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    app::App,
    clock::Time,
    error::Result,
    id::TenantId,
    job::Verdict,
    live::{
        Cursor, Push, Topic,
        frame::{self, Reason},
        service::{hear, still_may},
        store::{self, Page, Read},
    },
};

use super::{
    Gateway, Sent, events,
    kept::Kept,
    registry::{self, Lease},
};

/// How often the connections of a tenant are minded; whoever asks a little sooner is not put off to the next time.
const EVERY: Duration = Duration::from_secs(5);
const NOT_BEFORE: Duration = Duration::from_millis(4500);
/// How many connections are written to at once.
const AT_ONCE: usize = 64;
/// How many events one reading asks for.
const PAGE: i64 = 200;
/// Who is behind by more readings than this reads the log by itself, which is faster.
const MOST_PAGES: usize = 3;
/// How long a connection may not be there yet, after its opening was told us.
const OPENING: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// What one round shares between connections.
struct Round<'a> {
    app: &'a App,
    gateway: &'a Gateway,
    tenant_id: TenantId,
    /// Whether the connections are minded in this one.
    minds: bool,
    pages: Mutex<BTreeMap<Topic, Vec<Arc<Page>>>>,
    may: Mutex<HashMap<String, bool>>,
}

/// What became of a connection in a round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Served {
    Whole,
    /// There is more to be sent.
    Partly,
    Gone,
}

/// The job `Broadcast`.
pub async fn broadcast(app: &App, tenant_id: TenantId) -> Result<Verdict> {
    let Push::ApiGateway(gateway) = &app.push else { return Ok(Verdict::Done) };
    // What is committed after this rings anew; what was before is read now.
    registry::heard(&app.cache, tenant_id).await?;
    let ids = registry::of(&app.cache, tenant_id).await?;
    if ids.is_empty() {
        return Ok(Verdict::Done);
    }
    let minds = registry::is_time(&app.cache, tenant_id, NOT_BEFORE).await?;
    let round = Round { app, gateway, tenant_id, minds, pages: Mutex::default(), may: Mutex::default() };
    let served = stream::iter(ids).map(|id| {
        let round = &round;
        Box::pin(async move {
            let served = round.serve(&id).await;
            served.inspect_err(|error| tracing::warn!(?error, connection = id, "a connection was not served"))
        })
    });
    let served: Vec<_> = served.buffer_unordered(AT_ONCE).collect().await;
    if served.iter().any(|one| !matches!(one, Ok(Served::Whole | Served::Gone))) {
        if minds {
            // Who is called again this soon minds them too. Otherwise nobody would from there on, until the sweep rings.
            registry::is_time_again(&app.cache, tenant_id).await?;
        }
        return Ok(Verdict::Later(Duration::from_secs(1)));
    }
    Ok(if minds { Verdict::Later(EVERY) } else { Verdict::Done })
}

impl Round<'_> {
    async fn serve(&self, id: &str) -> Result<Served> {
        let Some(lease) = registry::lease(&self.app.cache, id).await? else { return Ok(Served::Partly) };
        let Some(mut kept) = lease.kept.clone() else {
            registry::remove(&self.app.cache, Some(self.tenant_id), id).await?;
            return Ok(Served::Gone);
        };
        let now = self.app.clock.now();
        if self.minds && self.is_over(&kept, now).await? {
            self.gateway.close(id).await;
            registry::remove(&self.app.cache, Some(self.tenant_id), id).await?;
            return Ok(Served::Gone);
        }
        let (sent, served) = self.write(&lease, &mut kept, now).await?;
        match sent {
            Sent::Gone if !kept.greeted && now - kept.connection.opened_at < OPENING => {
                registry::give_back(&self.app.cache, &lease, &kept, true).await?;
                Ok(Served::Partly)
            }
            Sent::Gone => {
                registry::remove(&self.app.cache, Some(self.tenant_id), id).await?;
                Ok(Served::Gone)
            }
            sent => {
                registry::give_back(&self.app.cache, &lease, &kept, sent != Sent::Unknown).await?;
                Ok(if sent == Sent::Yes { served } else { Served::Partly })
            }
        }
    }

    /// Whether a connection is to be ended: its credential, its silence, its age.
    async fn is_over(&self, kept: &Kept, now: Time) -> Result<bool> {
        let older = |since: Time, than: Duration| (now - since).to_std().is_ok_and(|age| age >= than);
        let pace = &self.app.settings.live;
        if older(kept.seen_at, pace.dead_after) || older(kept.connection.opened_at, pace.longest) {
            return Ok(true);
        }
        let who = &kept.connection.who;
        let key = format!("{} {}", who.principal.key(), who.home_tenant_id);
        let mut may = self.may.lock().await;
        if let Some(known) = may.get(&key) {
            return Ok(!known);
        }
        let known = still_may(self.app, who).await?;
        may.insert(key, known);
        Ok(!known)
    }

    /// Sends all that there is to say, in order; what became of the last of it.
    async fn write(&self, lease: &Lease, kept: &mut Kept, now: Time) -> Result<(Sent, Served)> {
        let id = kept.connection.id.clone();
        let mut frames = Vec::new();
        if lease.broken {
            for (topic, subscription) in std::mem::take(&mut kept.connection.topics) {
                frames.push(frame::resync(topic, Reason::Interrupted, Some(subscription.cursor), now));
            }
        }
        let pace = &self.app.settings.live;
        if !kept.greeted {
            let opened = kept.connection.opened_at;
            frames.insert(0, frame::established(&id, self.tenant_id, pace, opened));
        } else if self.minds && (now - kept.beat_at).to_std().is_ok_and(|age| age >= pace.heartbeat) {
            kept.beat_at = now;
            let topics = kept.connection.topics.iter().map(|(topic, one)| (*topic, one.cursor));
            frames.push(frame::heartbeat(topics, now));
        }
        for text in frames {
            match self.gateway.send(&id, &text).await {
                Sent::Yes => kept.greeted = true,
                other => return Ok((other, Served::Partly)),
            }
        }
        if let Some(first) = kept.first.take() {
            let heard = hear(self.app, &kept.connection, &first).await;
            match events::answer(self.gateway, kept, heard).await {
                Sent::Yes => {}
                other => return Ok((other, Served::Partly)),
            }
        }
        self.write_topics(lease, kept).await
    }

    async fn write_topics(&self, lease: &Lease, kept: &mut Kept) -> Result<(Sent, Served)> {
        let mut served = Served::Whole;
        for topic in kept.connection.topics.keys().copied().collect::<Vec<_>>() {
            let (sent, one) = self.write_topic(lease, kept, topic).await?;
            if sent != Sent::Yes {
                return Ok((sent, Served::Partly));
            }
            if one != Served::Whole {
                served = one;
            }
        }
        Ok((Sent::Yes, served))
    }

    async fn write_topic(&self, lease: &Lease, kept: &mut Kept, topic: Topic) -> Result<(Sent, Served)> {
        let id = kept.connection.id.clone();
        for _ in 0..MOST_PAGES {
            let Some(subscription) = kept.connection.topics.get_mut(&topic) else { break };
            let page = match self.page(topic, subscription.cursor).await? {
                Ok(page) => page,
                Err(reason) => return Ok((self.resync(kept, topic, reason, None).await, Served::Whole)),
            };
            for item in page.items.iter().filter(|item| item.cursor > subscription.cursor).collect::<Vec<_>>() {
                if subscription.filter.passes(item) {
                    // Who holds a lease that may be over by the time it arrives does not write.
                    if Instant::now() + super::CALL >= lease.until {
                        return Ok((Sent::NotNow, Served::Partly));
                    }
                    let sent = self.gateway.send(&id, &item.frame(topic)).await;
                    if sent != Sent::Yes {
                        return Ok((sent, Served::Partly));
                    }
                }
                subscription.cursor = item.cursor;
            }
            subscription.cursor = subscription.cursor.max(page.end);
            if !page.more {
                return Ok((Sent::Yes, if page.unsettled { Served::Partly } else { Served::Whole }));
            }
        }
        let after = kept.connection.topics.get(&topic).map(|subscription| subscription.cursor);
        Ok((self.resync(kept, topic, Reason::TooFarBehind, after).await, Served::Whole))
    }

    async fn resync(&self, kept: &mut Kept, topic: Topic, reason: Reason, after: Option<Cursor>) -> Sent {
        let text = frame::resync(topic, reason, after, self.app.clock.now());
        let sent = self.gateway.send(&kept.connection.id, &text).await;
        if sent == Sent::Yes {
            kept.connection.topics.remove(&topic);
        }
        sent
    }

    /// A stretch that holds what comes after a cursor: one that was read for another connection, where it fits.
    async fn page(&self, topic: Topic, after: Cursor) -> Result<Result<Arc<Page>, Reason>> {
        let mut pages = self.pages.lock().await;
        let known = pages.entry(topic).or_default();
        if let Some(page) = known.iter().find(|page| page.after <= after && after < page.end) {
            return Ok(Ok(page.clone()));
        }
        let now = self.app.clock.now();
        match store::read(&self.app.db, self.tenant_id, topic, after, PAGE, now).await? {
            Read::Page(page) => {
                let page = Arc::new(page);
                known.push(page.clone());
                Ok(Ok(page))
            }
            Read::Gone => Ok(Err(Reason::Gone)),
            Read::Unknown => Ok(Err(Reason::CursorUnknown)),
        }
    }
}
