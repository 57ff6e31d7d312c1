//! The connections of one tenant in this process, and what they wait for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    id::{SessionId, TenantId},
    live::{
        Cursor, Topic,
        bell::News,
        connection::{Connection, Subscription},
        frame,
        store::Page,
    },
};

use super::mailbox::{Letter, Mailbox};

/// What is kept of a connection while it is open.
pub(super) struct Kept {
    pub(super) connection: Connection,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) seen_at: Instant,
    pub(super) beat_at: Instant,
    /// Topics of which there may be more than was sent.
    behind: BTreeSet<Topic>,
}

#[derive(Default)]
struct Bell {
    sessions: BTreeSet<SessionId>,
    beside: bool,
}

pub(super) struct Room {
    pub(super) tenant_id: TenantId,
    seats: Mutex<HashMap<String, Kept>>,
    bell: Mutex<Bell>,
    rung: Notify,
    served: AtomicBool,
}

/// Which cursors are to be read on from, of each topic.
pub(super) type Wanted = BTreeMap<Topic, BTreeSet<Cursor>>;

impl Room {
    pub(super) fn new(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            seats: Mutex::default(),
            bell: Mutex::default(),
            rung: Notify::new(),
            served: AtomicBool::new(false),
        }
    }

    /// True for whoever is to serve it from now on.
    pub(super) fn begin(&self) -> bool {
        !self.served.swap(true, Ordering::SeqCst)
    }

    pub(super) fn enter(&self, connection: Connection, mailbox: Arc<Mailbox>) {
        let now = Instant::now();
        let id = connection.id.clone();
        self.seats().insert(id, Kept { connection, mailbox, seen_at: now, beat_at: now, behind: BTreeSet::new() });
    }

    pub(super) fn leave(&self, id: &str) {
        self.seats().remove(id);
        self.rung.notify_one();
    }

    pub(super) fn len(&self) -> usize {
        self.seats().len()
    }

    pub(super) fn connection(&self, id: &str) -> Option<Connection> {
        self.seats().get(id).map(|kept| kept.connection.clone())
    }

    pub(super) fn each(&self, mut work: impl FnMut(&mut Kept)) {
        self.seats().values_mut().for_each(&mut work);
    }

    pub(super) fn alive(&self, id: &str) {
        if let Some(kept) = self.seats().get_mut(id) {
            kept.seen_at = Instant::now();
        }
    }

    /// Begins a subscription: it is confirmed before anything is sent of it.
    pub(super) fn subscribe(&self, id: &str, topic: Topic, subscription: Subscription, confirmed: String) {
        if let Some(kept) = self.seats().get_mut(id) {
            kept.mailbox.say(confirmed);
            kept.connection.topics.insert(topic, subscription);
            kept.behind.insert(topic);
        }
        self.rung.notify_one();
    }

    pub(super) fn unsubscribe(&self, id: &str, topic: Topic, told: String) {
        if let Some(kept) = self.seats().get_mut(id) {
            kept.connection.topics.remove(&topic);
            kept.behind.remove(&topic);
            kept.mailbox.say(told);
        }
    }

    /// Ends a subscription of all who stand at this place or before it, and says why.
    pub(super) fn end(&self, topic: Topic, upto: Cursor, told: &str) {
        self.each(|kept| {
            if kept.connection.topics.get(&topic).is_some_and(|subscription| subscription.cursor <= upto) {
                kept.connection.topics.remove(&topic);
                kept.behind.remove(&topic);
                kept.mailbox.say(told.to_owned());
            }
        });
    }

    pub(super) fn drained(&self, id: &str) {
        let behind = self.seats().get(id).is_some_and(|kept| !kept.behind.is_empty() && kept.mailbox.has_room());
        if behind {
            self.rung.notify_one();
        }
    }

    pub(super) fn ring(&self, news: News) {
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        match news.session_id {
            Some(id) => drop(bell.sessions.insert(id)),
            None => bell.beside = true,
        }
        drop(bell);
        self.rung.notify_one();
    }

    pub(super) async fn rung(&self) {
        self.rung.notified().await;
    }

    /// What is to be read now: where the bell says that there is more, where somebody is behind, or (`all`) everything.
    /// Connections whose mailbox is full are left out.
    pub(super) fn wanted(&self, all: bool) -> Wanted {
        let bell = std::mem::take(&mut *self.bell.lock().unwrap_or_else(PoisonError::into_inner));
        let told = |topic: &Topic| match topic {
            Topic::Sessions => !bell.sessions.is_empty(),
            Topic::Session(id) => bell.sessions.contains(id),
            Topic::Agents | Topic::Tuning | Topic::System => bell.beside,
        };
        let mut wanted = Wanted::new();
        for kept in self.seats().values_mut() {
            let news: Vec<_> = kept.connection.topics.keys().copied().filter(|topic| all || told(topic)).collect();
            kept.behind.extend(news);
            if !kept.mailbox.has_room() {
                continue;
            }
            for topic in &kept.behind {
                if let Some(subscription) = kept.connection.topics.get(topic) {
                    wanted.entry(*topic).or_default().insert(subscription.cursor);
                }
            }
        }
        wanted
    }

    /// Puts a stretch of a topic into the mailboxes of all who stand within it, each from its own place on.
    pub(super) fn deliver(&self, topic: Topic, page: &Page, coalesce_after: Duration) {
        let letters: Vec<_> = page
            .items
            .iter()
            .map(|item| Letter {
                text: item.frame(topic).into(),
                mark: Some((topic, item.cursor)),
                state_of: item.state_of().map(|of| (topic, of)),
            })
            .collect();
        for kept in self.seats().values_mut() {
            let Some(subscription) = kept.connection.topics.get_mut(&topic) else { continue };
            if subscription.cursor < page.after || subscription.cursor > page.end {
                continue;
            }
            let mut filled = false;
            for (item, letter) in page.items.iter().zip(&letters) {
                if item.cursor <= subscription.cursor {
                    continue;
                }
                if subscription.filter.passes(item) && !kept.mailbox.put(letter, coalesce_after) {
                    filled = true;
                    break;
                }
                subscription.cursor = item.cursor;
            }
            if !filled {
                subscription.cursor = subscription.cursor.max(page.end);
                if !page.more && !page.unsettled {
                    kept.behind.remove(&topic);
                }
            }
        }
    }

    /// Tells those that it is time for that we are there.
    pub(super) fn beat(&self, every: Duration, now: crate::clock::Time) {
        self.each(|kept| {
            if kept.beat_at.elapsed() >= every {
                kept.beat_at = Instant::now();
                let topics = kept.connection.topics.iter().map(|(topic, one)| (*topic, one.cursor));
                let text = frame::heartbeat(topics, now);
                if kept.mailbox.has_room() {
                    kept.mailbox.say(text);
                }
            }
        });
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
