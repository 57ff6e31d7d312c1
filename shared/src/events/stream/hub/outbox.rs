//! The outbox of a connection: the frames that wait to be written to it. It is bounded, so that a slow reader does not
//! affect the others.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};

use crate::events::stream::{Cursor, Topic, frame::StreamEvent};

/// How many events may wait, apart from control frames.
const MAX_EVENTS: usize = 256;
/// How many bytes may wait.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// How many control frames may wait. A client that causes more without reading is disconnected.
const MAX_CONTROL_FRAMES: usize = 64;

/// A frame that waits to be written.
#[derive(Clone, Debug)]
pub struct QueuedFrame {
    /// The text to write; empty where the reader is given the event.
    pub text: Bytes,
    /// The event, for a reader in this process that writes it in a form of its own.
    pub event: Option<Arc<StreamEvent>>,
    /// How much memory it counts for, in bytes.
    pub size: usize,
    /// The topic and the cursor of an event; `None` for a control frame.
    pub position: Option<(Topic, Cursor)>,
    /// The object whose whole state the event reports.
    pub coalescing_key: Option<(Topic, String)>,
}

impl QueuedFrame {
    /// A control frame.
    pub fn control(text: String) -> Self {
        Self { size: text.len(), text: text.into(), event: None, position: None, coalescing_key: None }
    }
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// The credential is no longer valid.
    Revoked,
    /// The client was silent for too long.
    Unresponsive,
    /// The client sent more requests than it read answers.
    Flooded,
    /// The connection reached its longest lifetime, or this process shuts down. The client reconnects and resumes.
    Reconnect,
    /// What the connection follows was deleted.
    Gone,
}

impl CloseReason {
    /// The code and the reason of the close frame.
    pub const fn close_frame(self) -> (u16, &'static str) {
        match self {
            Self::Revoked => (4401, "the credential is no longer valid"),
            Self::Unresponsive => (4408, "the client was silent for too long"),
            Self::Flooded => (1008, "the client sent more requests than it read answers"),
            Self::Reconnect => (1012, "reconnect to resume"),
            Self::Gone => (1000, "what it follows was deleted"),
        }
    }
}

/// The next thing to write to a connection.
#[derive(Debug)]
pub enum OutboxItem {
    Frame(QueuedFrame),
    Close(CloseReason),
}

/// The frames that wait for one connection.
pub struct Outbox {
    state: Mutex<OutboxState>,
    changed: Notify,
}

struct OutboxState {
    queue: VecDeque<QueuedFrame>,
    bytes: usize,
    control_frames: usize,
    /// The cursor of the last event of each topic that was taken for writing.
    last_taken: BTreeMap<Topic, Cursor>,
    /// When a frame was last taken, or the outbox was last empty.
    last_taken_at: Instant,
    close_reason: Option<CloseReason>,
}

impl Default for Outbox {
    fn default() -> Self {
        let state = OutboxState {
            queue: VecDeque::new(),
            bytes: 0,
            control_frames: 0,
            last_taken: BTreeMap::new(),
            last_taken_at: Instant::now(),
            close_reason: None,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl OutboxState {
    fn is_full(&self) -> bool {
        self.queue.len() - self.control_frames >= MAX_EVENTS || self.bytes >= MAX_BYTES
    }

    fn push(&mut self, frame: QueuedFrame) {
        if self.queue.is_empty() {
            self.last_taken_at = Instant::now();
        }
        self.bytes += frame.size;
        self.control_frames += usize::from(frame.position.is_none());
        self.queue.push_back(frame);
    }

    fn record_removal(&mut self, frame: &QueuedFrame) {
        self.bytes -= frame.size;
        self.control_frames -= usize::from(frame.position.is_none());
    }
}

impl Outbox {
    fn lock_state(&self) -> MutexGuard<'_, OutboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event; false if the outbox is full. If the reader was stalled for `coalesce_after`, the event replaces
    /// an older one that it supersedes.
    pub fn push_event(&self, frame: &QueuedFrame, coalesce_after: Duration) -> bool {
        let mut state = self.lock_state();
        if state.is_full() {
            let overtaken = frame.coalescing_key.as_ref().filter(|_| state.last_taken_at.elapsed() >= coalesce_after);
            let place =
                overtaken.and_then(|of| state.queue.iter().position(|one| one.coalescing_key.as_ref() == Some(of)));
            let Some(removed) = place.and_then(|at| state.queue.remove(at)) else { return false };
            state.record_removal(&removed);
        }
        state.push(frame.clone());
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Adds a control frame behind the waiting frames.
    pub fn push_control(&self, text: String) {
        let mut state = self.lock_state();
        state.push(QueuedFrame::control(text));
        if state.control_frames > MAX_CONTROL_FRAMES {
            state.close_reason.get_or_insert(CloseReason::Flooded);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Whether another event fits.
    pub fn has_space(&self) -> bool {
        !self.lock_state().is_full()
    }

    /// How long the reader has taken none of the waiting frames.
    pub fn stalled_for(&self) -> Duration {
        let state = self.lock_state();
        if state.queue.is_empty() { Duration::ZERO } else { state.last_taken_at.elapsed() }
    }

    /// Drops all waiting events. Returns their topics, each with the cursor of the last event that was taken.
    pub fn drop_events(&self) -> BTreeMap<Topic, Option<Cursor>> {
        let mut state = self.lock_state();
        let (dropped, kept): (VecDeque<_>, _) = state.queue.drain(..).partition(|frame| frame.position.is_some());
        state.queue = kept;
        state.bytes = state.queue.iter().map(|frame| frame.size).sum();
        let topics = dropped.iter().filter_map(|frame| frame.position).map(|(topic, _)| topic);
        topics.map(|topic| (topic, state.last_taken.get(&topic).copied())).collect()
    }

    /// Closes the connection, whatever waits.
    pub fn close(&self, why: CloseReason) {
        self.lock_state().close_reason.get_or_insert(why);
        self.changed.notify_one();
    }

    /// Waits for the next frame to write. Only one reader may wait at a time.
    pub async fn next_item(&self) -> OutboxItem {
        loop {
            if let Some(next) = self.try_next_item() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// The next frame to write, if there is one.
    pub fn try_next_item(&self) -> Option<OutboxItem> {
        let mut state = self.lock_state();
        if let Some(why) = state.close_reason {
            return Some(OutboxItem::Close(why));
        }
        let frame = state.queue.pop_front()?;
        state.record_removal(&frame);
        state.last_taken_at = Instant::now();
        if let Some((topic, cursor)) = frame.position {
            state.last_taken.insert(topic, cursor);
        }
        Some(OutboxItem::Frame(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64, coalescing_key: Option<&str>) -> QueuedFrame {
        QueuedFrame {
            text: Bytes::from(seq.to_string()),
            event: None,
            size: 1,
            position: Some((Topic::Sessions, Cursor::Seq(seq))),
            coalescing_key: coalescing_key.map(|of| (Topic::Sessions, of.to_owned())),
        }
    }

    fn take_all(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| match outbox.try_next_item()? {
            OutboxItem::Frame(frame) => Some(String::from_utf8_lossy(&frame.text).into_owned()),
            OutboxItem::Close(_) => None,
        })
        .collect()
    }

    #[test]
    fn a_stalled_reader_loses_only_superseded_states() {
        let (outbox, patience, none) = (Outbox::default(), Duration::MAX, Duration::ZERO);
        for seq in 1..=256 {
            assert!(outbox.push_event(&event(seq, (seq % 64 == 0).then_some("usage")), patience));
        }
        assert!(!outbox.push_event(&event(257, Some("usage")), patience), "the reader is only busy");
        assert!(!outbox.push_event(&event(257, None), none), "an event that reports no state is never left out");
        assert!(outbox.push_event(&event(257, Some("usage")), none));
        let left: Vec<_> = (1..=257).filter(|seq| *seq != 64).map(|seq| seq.to_string()).collect();
        assert_eq!(take_all(&outbox), left);
    }

    #[test]
    fn dropped_events_report_the_cursor_to_resume_from() {
        let outbox = Outbox::default();
        for seq in 1..=3 {
            outbox.push_event(&event(seq, None), Duration::ZERO);
        }
        outbox.push_control("ours".to_owned());
        outbox.try_next_item();
        assert_eq!(outbox.drop_events(), BTreeMap::from([(Topic::Sessions, Some(Cursor::Seq(1)))]));
        assert_eq!(take_all(&outbox), ["ours"]);
    }

    #[test]
    fn a_client_that_sends_without_reading_is_disconnected() {
        let outbox = Outbox::default();
        for _ in 0..=MAX_CONTROL_FRAMES {
            outbox.push_control("pong".to_owned());
        }
        assert!(matches!(outbox.try_next_item(), Some(OutboxItem::Close(CloseReason::Flooded))));
    }
}
