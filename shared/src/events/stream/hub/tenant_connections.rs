//! The connections of one tenant in this process, and the cursors that they wait at.

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
    events::stream::{
        Cursor, StreamLimits, Topic,
        connection::{Connection, Subscription},
        cursor::CursorCipher,
        frame,
    },
    kernel::{
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::notification::TenantNotification,
};

use super::outbox::{CloseReason, Outbox};
pub(super) use super::rendered_page::DeliveryForm;
use super::rendered_page::RenderedPage;

/// The state of an open connection.
pub(super) struct ConnectionState {
    pub(super) connection: Connection,
    pub(super) outbox: Arc<Outbox>,
    pub(super) form: DeliveryForm,
    pub(super) seen_at: Instant,
    pub(super) heartbeat_at: Instant,
    /// Topics that may have events which were not sent yet.
    behind: BTreeSet<Topic>,
}

impl ConnectionState {
    /// Ends a subscription. A client receives a frame with the reason; a reader in this process is closed.
    pub(super) fn end_subscription(&mut self, topic: Topic, notice: String, why: CloseReason) {
        self.connection.topics.remove(&topic);
        self.behind.remove(&topic);
        match self.form {
            DeliveryForm::Frames => self.outbox.push_control(notice),
            DeliveryForm::Events => self.outbox.close(why),
        }
    }
}

#[derive(Default)]
struct PendingTopics {
    sessions: BTreeSet<SessionId>,
    tenant_events: bool,
}

pub(super) struct TenantConnections {
    pub(super) tenant_id: TenantId,
    states: Mutex<HashMap<String, ConnectionState>>,
    pending: Mutex<PendingTopics>,
    wake: Notify,
    is_served: AtomicBool,
}

/// The cursors to read after, by topic.
pub(super) type DueCursors = BTreeMap<Topic, BTreeSet<Cursor>>;

impl TenantConnections {
    pub(super) fn new(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            states: Mutex::default(),
            pending: Mutex::default(),
            wake: Notify::new(),
            is_served: AtomicBool::new(false),
        }
    }

    /// True for the one caller that is to start the delivery loop.
    pub(super) fn try_start_serving(&self) -> bool {
        !self.is_served.swap(true, Ordering::SeqCst)
    }

    /// Adds a connection, if the limits allow another one.
    pub(super) fn insert(
        &self,
        connection: Connection,
        form: DeliveryForm,
        outbox: Arc<Outbox>,
        limits: StreamLimits,
    ) -> Result<()> {
        let now = Instant::now();
        let (id, owner) = (connection.id.clone(), connection.subscriber.principal.principal_key());
        let mut states = self.lock_states();
        let is_own = |state: &&ConnectionState| state.connection.subscriber.principal.principal_key() == owner;
        limits.check(states.values().filter(is_own).count(), states.len())?;
        states.insert(
            id,
            ConnectionState { connection, outbox, form, seen_at: now, heartbeat_at: now, behind: BTreeSet::new() },
        );
        Ok(())
    }

    pub(super) fn remove(&self, id: &str) {
        self.lock_states().remove(id);
        self.wake.notify_one();
    }

    pub(super) fn len(&self) -> usize {
        self.lock_states().len()
    }

    pub(super) fn connection(&self, id: &str) -> Option<Connection> {
        self.lock_states().get(id).map(|state| state.connection.clone())
    }

    pub(super) fn for_each(&self, mut work: impl FnMut(&mut ConnectionState)) {
        self.lock_states().values_mut().for_each(&mut work);
    }

    pub(super) fn record_activity(&self, id: &str) {
        if let Some(state) = self.lock_states().get_mut(id) {
            state.seen_at = Instant::now();
        }
    }

    /// Starts a subscription. It is confirmed before its first event is sent.
    pub(super) fn subscribe(&self, id: &str, topic: Topic, subscription: Subscription, confirmation: String) {
        if let Some(state) = self.lock_states().get_mut(id) {
            if state.form == DeliveryForm::Frames {
                state.outbox.push_control(confirmation);
            }
            state.connection.topics.insert(topic, subscription);
            state.behind.insert(topic);
        }
        self.wake.notify_one();
    }

    pub(super) fn unsubscribe(&self, id: &str, topic: Topic, notice: String) {
        if let Some(state) = self.lock_states().get_mut(id) {
            state.connection.topics.remove(&topic);
            state.behind.remove(&topic);
            state.outbox.push_control(notice);
        }
    }

    /// Ends the subscriptions to a topic whose cursor is at or before `upto`, with a frame that says why.
    pub(super) fn end_subscriptions(&self, topic: Topic, upto: Cursor, notice: &str, why: CloseReason) {
        self.for_each(|state| {
            if state.connection.topics.get(&topic).is_some_and(|subscription| subscription.cursor <= upto) {
                state.end_subscription(topic, notice.to_owned(), why);
            }
        });
    }

    pub(super) fn record_write(&self, id: &str) {
        let behind =
            self.lock_states().get(id).is_some_and(|state| !state.behind.is_empty() && state.outbox.has_space());
        if behind {
            self.wake.notify_one();
        }
    }

    pub(super) fn notify(&self, notification: TenantNotification) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match notification.session_id {
            Some(id) => drop(pending.sessions.insert(id)),
            None => pending.tenant_events = true,
        }
        drop(pending);
        self.wake.notify_one();
    }

    pub(super) async fn notified(&self) {
        self.wake.notified().await;
    }

    /// The cursors to read after now: of topics that were notified, of topics that are behind, or (`all`) of every
    /// topic. Connections whose outbox is full are left out.
    pub(super) fn due_cursors(&self, all: bool) -> DueCursors {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let is_notified = |topic: &Topic| match topic {
            Topic::Sessions => !pending.sessions.is_empty(),
            Topic::Session(id) => pending.sessions.contains(id),
            Topic::Agents | Topic::FineTuning | Topic::System => pending.tenant_events,
        };
        let mut due = DueCursors::new();
        for state in self.lock_states().values_mut() {
            let notified: Vec<_> =
                state.connection.topics.keys().copied().filter(|topic| all || is_notified(topic)).collect();
            state.behind.extend(notified);
            if !state.outbox.has_space() {
                continue;
            }
            for topic in &state.behind {
                if let Some(subscription) = state.connection.topics.get(topic) {
                    due.entry(*topic).or_default().insert(subscription.cursor);
                }
            }
        }
        due
    }

    /// Adds the events of a page to the outboxes of all connections whose cursor lies within it, each after its own
    /// cursor.
    pub(super) fn deliver(&self, rendered: &RenderedPage<'_>, coalesce_after: Duration) {
        let (topic, page) = (rendered.topic, rendered.page);
        for state in self.lock_states().values_mut() {
            let Some(subscription) = state.connection.topics.get_mut(&topic) else { continue };
            if subscription.cursor < page.after || subscription.cursor > page.end {
                continue;
            }
            let mut filled = false;
            for (event, frame) in page.events.iter().zip(rendered.items(state.form)) {
                if event.cursor <= subscription.cursor {
                    continue;
                }
                if subscription.filter.matches(event) && !state.outbox.push_event(frame, coalesce_after) {
                    filled = true;
                    break;
                }
                subscription.cursor = event.cursor;
            }
            if !filled {
                subscription.cursor = subscription.cursor.max(page.end);
                if !page.has_more && !page.has_pending {
                    state.behind.remove(&topic);
                }
            }
        }
    }

    /// Sends a heartbeat to the connections for which one is due.
    pub(super) fn send_heartbeats(&self, every: Duration, cursors: &CursorCipher, now: crate::kernel::clock::Time) {
        self.for_each(|state| {
            if state.form == DeliveryForm::Frames && state.heartbeat_at.elapsed() >= every {
                state.heartbeat_at = Instant::now();
                let topics = state.connection.topics.iter().map(|(topic, one)| (*topic, one.cursor));
                let text = frame::heartbeat_frame(topics, cursors, now);
                if state.outbox.has_space() {
                    state.outbox.push_control(text);
                }
            }
        });
    }

    fn lock_states(&self) -> MutexGuard<'_, HashMap<String, ConnectionState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
