//! One queue in memory: plain data and rules, without waiting. The caller passes the time.
//!
//! Ready messages are queued per tenant and tenants are served in turn, so one tenant's thousand messages do not delay
//! another's first. Delayed and delivered messages are in one set, ordered by the time at which they become visible.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    limits::{FAR, Limits},
    message::{Dead, Depth, read},
};
use crate::{kernel::id::TenantId, platform::queue::job::QueueName};

#[derive(Debug)]
pub(super) struct QueueState {
    queue_name: QueueName,
    limits: Limits,
    next_id: u64,
    messages: HashMap<u64, StoredMessage>,
    /// Ready messages by tenant. It may name deleted messages, which are skipped, and never holds an empty queue.
    lines: HashMap<Option<TenantId>, VecDeque<u64>>,
    /// The tenants with ready messages, in the order in which they are served.
    turns: VecDeque<Option<TenantId>>,
    /// Delayed and delivered messages, by the time at which they become visible.
    hidden: BTreeSet<(Instant, u64)>,
    dead: Vec<StoredMessage>,
}

#[derive(Debug)]
struct StoredMessage {
    body: Box<str>,
    tenant_id: Option<TenantId>,
    receive_count: u32,
    hidden_until: Option<Instant>,
    /// Why it moved to the dead-letter queue.
    reason: Option<Box<str>>,
}

/// A message that [`QueueState::take_due`] delivers.
#[derive(Debug)]
pub(super) struct ReceivedMessage {
    pub(super) id: u64,
    pub(super) body: Box<str>,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) receive_count: u32,
}

impl QueueState {
    pub(super) fn new(queue_name: QueueName, limits: Limits) -> Self {
        Self {
            queue_name,
            limits,
            next_id: 0,
            messages: HashMap::new(),
            lines: HashMap::new(),
            turns: VecDeque::new(),
            hidden: BTreeSet::new(),
            dead: Vec::new(),
        }
    }

    pub(super) fn add_message(&mut self, tenant_id: Option<TenantId>, body: Box<str>, after: Duration, now: Instant) {
        let id = self.next_id;
        self.next_id += 1;
        self.messages.insert(id, StoredMessage { body, tenant_id, receive_count: 0, hidden_until: None, reason: None });
        if after.is_zero() {
            self.line_up(id, tenant_id);
        } else {
            self.hide_until(id, now + after.min(FAR));
        }
    }

    /// Delivers up to `max` messages, one per tenant in turn, and hides them.
    pub(super) fn take_due(&mut self, max: usize, now: Instant) -> Vec<ReceivedMessage> {
        self.show_due(now);
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(id) = self.next_in_turn()
        {
            let Some(message) = self.messages.get_mut(&id) else { continue };
            message.receive_count += 1;
            taken.push(ReceivedMessage {
                id,
                body: message.body.clone(),
                tenant_id: message.tenant_id,
                receive_count: message.receive_count,
            });
            self.hide_until(id, now + self.limits.visibility);
        }
        taken
    }

    /// When the next hidden message becomes visible.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.hidden.first().map(|(due, _)| *due)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Deletes the message if this is its latest receipt.
    pub(super) fn delete(&mut self, id: u64, count: u32) {
        if self.is_held(id, count)
            && let Some(StoredMessage { hidden_until: Some(due), .. }) = self.messages.remove(&id)
        {
            self.hidden.remove(&(due, id));
        }
    }

    /// Makes the message visible again after this time if this is its latest receipt.
    pub(super) fn retry_after(&mut self, id: u64, count: u32, after: Duration, now: Instant) {
        if self.is_held(id, count)
            && let Some(due) = self.messages.get_mut(&id).and_then(|message| message.hidden_until.take())
        {
            self.hidden.remove(&(due, id));
            self.hide_until(id, now + after.min(FAR));
        }
    }

    /// Moves the message to the dead-letter queue if this is its latest receipt.
    pub(super) fn dead_letter(&mut self, id: u64, count: u32, reason: &str) {
        if self.is_held(id, count)
            && let Some(mut message) = self.messages.remove(&id)
        {
            if let Some(due) = message.hidden_until.take() {
                self.hidden.remove(&(due, id));
            }
            message.reason = Some(reason.into());
            self.dead.push(message);
        }
    }

    pub(super) fn measure_depth(&mut self, now: Instant) -> Depth {
        self.show_due(now);
        let mut depth = Depth { dead: self.dead.len(), ..Depth::default() };
        for message in self.messages.values() {
            match (message.hidden_until, message.receive_count) {
                (None, _) => depth.ready += 1,
                (Some(_), 0) => depth.delayed += 1,
                (Some(_), _) => depth.in_flight += 1,
            }
        }
        depth
    }

    pub(super) fn list_dead_letters(&mut self, max: usize, now: Instant) -> Vec<Dead> {
        self.show_due(now);
        let queue_name = self.queue_name;
        let letter = |message: &StoredMessage| Dead {
            job: read(queue_name, &message.body),
            tenant_id: message.tenant_id,
            reason: message.reason.as_deref().map(str::to_owned),
        };
        self.dead.iter().take(max).map(letter).collect()
    }

    pub(super) fn redrive_dead_letters(&mut self, now: Instant) -> usize {
        self.show_due(now);
        let dead = std::mem::take(&mut self.dead);
        let count = dead.len();
        for message in dead {
            self.add_message(message.tenant_id, message.body, Duration::ZERO, now);
        }
        count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Removes everything except dead letters.
    pub(super) fn drain_messages(&mut self) -> Vec<Box<str>> {
        self.lines.clear();
        self.turns.clear();
        self.hidden.clear();
        self.messages.drain().map(|(_, message)| message.body).collect()
    }

    fn is_held(&self, id: u64, count: u32) -> bool {
        self.messages.get(&id).is_some_and(|message| message.receive_count == count)
    }

    fn hide_until(&mut self, id: u64, until: Instant) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.hidden_until = Some(until);
            self.hidden.insert((until, id));
        }
    }

    fn line_up(&mut self, id: u64, tenant_id: Option<TenantId>) {
        let line = self.lines.entry(tenant_id).or_default();
        if line.is_empty() {
            self.turns.push_back(tenant_id);
        }
        line.push_back(id);
    }

    /// Makes due messages ready, or moves them to the dead-letter queue after too many deliveries.
    fn show_due(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.hidden.first()
            && due <= now
        {
            self.hidden.pop_first();
            let Some(message) = self.messages.get_mut(&id) else { continue };
            message.hidden_until = None;
            if message.receive_count >= self.limits.max_receives {
                self.dead.extend(self.messages.remove(&id));
            } else {
                let tenant_id = message.tenant_id;
                self.line_up(id, tenant_id);
            }
        }
    }

    fn next_in_turn(&mut self) -> Option<u64> {
        let tenant_id = self.turns.pop_front()?;
        let line = self.lines.get_mut(&tenant_id)?;
        let id = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&tenant_id);
        } else {
            self.turns.push_back(tenant_id);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { visibility: Duration::from_secs(10), max_receives: 2 };

    fn queue_name() -> (QueueState, Instant) {
        (QueueState::new(QueueName::Dispatch, LIMITS), Instant::now())
    }

    fn bodies(taken: &[ReceivedMessage]) -> Vec<&str> {
        taken.iter().map(|taken| &*taken.body).collect()
    }

    #[test]
    fn tenants_take_turns_however_many_messages_each_has() {
        let (mut queue_name, now) = queue_name();
        let [many, few, none] = [Some(TenantId::new()), Some(TenantId::new()), None];
        for (tenant_id, body) in [(many, "a1"), (many, "a2"), (many, "a3"), (few, "b1"), (none, "c1"), (few, "b2")] {
            queue_name.add_message(tenant_id, body.into(), Duration::ZERO, now);
        }
        assert_eq!(bodies(&queue_name.take_due(4, now)), ["a1", "b1", "c1", "a2"]);
        assert_eq!(bodies(&queue_name.take_due(9, now)), ["b2", "a3"]);
    }

    #[test]
    fn a_received_message_is_hidden_and_dead_lettered_after_its_last_receipt() {
        let (mut queue_name, now) = queue_name();
        queue_name.add_message(None, "once".into(), Duration::ZERO, now);
        assert_eq!(queue_name.take_due(1, now).len(), 1);
        let almost = now + LIMITS.visibility - Duration::from_millis(1);
        assert!(queue_name.take_due(1, almost).is_empty());
        assert_eq!(queue_name.take_due(1, now + LIMITS.visibility)[0].receive_count, 2);
        let later = now + 2 * LIMITS.visibility;
        assert!(queue_name.take_due(1, later).is_empty());
        assert_eq!(queue_name.measure_depth(later), Depth { dead: 1, ..Depth::default() });
    }

    #[test]
    fn a_receipt_is_void_once_the_message_was_received_again() {
        let (mut queue_name, now) = queue_name();
        queue_name.add_message(None, "held".into(), Duration::ZERO, now);
        let first = queue_name.take_due(1, now).remove(0);
        let later = now + LIMITS.visibility;
        let second = queue_name.take_due(1, later).remove(0);
        queue_name.delete(first.id, first.receive_count);
        queue_name.dead_letter(first.id, first.receive_count, "too late");
        assert_eq!(queue_name.measure_depth(later).in_flight, 1);
        queue_name.delete(second.id, second.receive_count);
        assert!(queue_name.is_empty());
        assert_eq!(queue_name.next_due(), None);
    }

    #[test]
    fn a_message_deleted_after_it_was_shown_again_is_not_handed_out() {
        let (mut queue_name, now) = queue_name();
        queue_name.add_message(None, "slow".into(), Duration::ZERO, now);
        queue_name.add_message(None, "next".into(), Duration::ZERO, now);
        let slow = queue_name.take_due(1, now).remove(0);
        let later = now + LIMITS.visibility;
        assert_eq!(queue_name.measure_depth(later).ready, 2);
        queue_name.delete(slow.id, slow.receive_count);
        assert_eq!(bodies(&queue_name.take_due(9, later)), ["next"]);
    }

    #[test]
    fn a_delay_beyond_all_clocks_is_no_panic() {
        let (mut queue_name, now) = queue_name();
        queue_name.add_message(None, "never".into(), Duration::MAX, now);
        assert!(queue_name.take_due(1, now).is_empty());
        assert!(queue_name.next_due().is_some());
    }
}
