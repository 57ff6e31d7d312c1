//! One lane in memory: plain data and rules, without waiting. The caller says what time it is.
//!
//! Ready messages stand in a line per tenant and tenants take turns, so one tenant's thousand messages do not hold up
//! another's first. Messages that are delayed or handed out stand in one set ordered by when they are next to be shown.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{Dead, Depth, Limits, message::read};
use crate::{id::TenantId, job::Lane};

/// Longer than any process lives, and short enough to be added to a clock.
pub(super) const FAR: Duration = Duration::from_hours(365 * 24);

#[derive(Debug)]
pub(super) struct LaneState {
    lane: Lane,
    limits: Limits,
    next_id: u64,
    messages: HashMap<u64, Message>,
    /// Ready messages by tenant; may still name some that were deleted, which are skipped. Never holds an empty line.
    lines: HashMap<Option<TenantId>, VecDeque<u64>>,
    /// The tenants that have a line, in the order of their turns.
    turns: VecDeque<Option<TenantId>>,
    /// What is delayed or handed out, by when it is to be shown (again).
    hidden: BTreeSet<(Instant, u64)>,
    dead: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    body: Box<str>,
    tenant_id: Option<TenantId>,
    receive_count: u32,
    hidden_until: Option<Instant>,
    /// Why it was buried.
    reason: Option<Box<str>>,
}

/// What [`LaneState::take`] hands out.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: u64,
    pub(super) body: Box<str>,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) receive_count: u32,
}

impl LaneState {
    pub(super) fn new(lane: Lane, limits: Limits) -> Self {
        Self {
            lane,
            limits,
            next_id: 0,
            messages: HashMap::new(),
            lines: HashMap::new(),
            turns: VecDeque::new(),
            hidden: BTreeSet::new(),
            dead: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, tenant_id: Option<TenantId>, body: Box<str>, after: Duration, now: Instant) {
        let id = self.next_id;
        self.next_id += 1;
        self.messages.insert(id, Message { body, tenant_id, receive_count: 0, hidden_until: None, reason: None });
        if after.is_zero() {
            self.line_up(id, tenant_id);
        } else {
            self.hide(id, now + after.min(FAR));
        }
    }

    /// Hands out up to `max` messages, one per tenant and turn, and hides them.
    pub(super) fn take(&mut self, max: usize, now: Instant) -> Vec<Taken> {
        self.show_due(now);
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(id) = self.next_in_turn()
        {
            let Some(message) = self.messages.get_mut(&id) else { continue };
            message.receive_count += 1;
            taken.push(Taken {
                id,
                body: message.body.clone(),
                tenant_id: message.tenant_id,
                receive_count: message.receive_count,
            });
            self.hide(id, now + self.limits.visibility);
        }
        taken
    }

    /// When the next hidden message is to be shown.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.hidden.first().map(|(due, _)| *due)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Removes the message if this receipt is its last.
    pub(super) fn delete(&mut self, id: u64, count: u32) {
        if self.is_held(id, count)
            && let Some(Message { hidden_until: Some(due), .. }) = self.messages.remove(&id)
        {
            self.hidden.remove(&(due, id));
        }
    }

    /// Shows the message again after this time, if this receipt is its last.
    pub(super) fn retry_after(&mut self, id: u64, count: u32, after: Duration, now: Instant) {
        if self.is_held(id, count)
            && let Some(due) = self.messages.get_mut(&id).and_then(|message| message.hidden_until.take())
        {
            self.hidden.remove(&(due, id));
            self.hide(id, now + after.min(FAR));
        }
    }

    /// Puts the message aside, if this receipt is its last.
    pub(super) fn bury(&mut self, id: u64, count: u32, reason: &str) {
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

    pub(super) fn depth(&mut self, now: Instant) -> Depth {
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

    pub(super) fn dead(&mut self, max: usize, now: Instant) -> Vec<Dead> {
        self.show_due(now);
        let lane = self.lane;
        let letter = |message: &Message| Dead {
            job: read(lane, &message.body),
            tenant_id: message.tenant_id,
            reason: message.reason.as_deref().map(str::to_owned),
        };
        self.dead.iter().take(max).map(letter).collect()
    }

    pub(super) fn redrive(&mut self, now: Instant) -> usize {
        self.show_due(now);
        let dead = std::mem::take(&mut self.dead);
        let count = dead.len();
        for message in dead {
            self.add(message.tenant_id, message.body, Duration::ZERO, now);
        }
        count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes everything out, dead letters apart.
    pub(super) fn drain(&mut self) -> Vec<Box<str>> {
        self.lines.clear();
        self.turns.clear();
        self.hidden.clear();
        self.messages.drain().map(|(_, message)| message.body).collect()
    }

    fn is_held(&self, id: u64, count: u32) -> bool {
        self.messages.get(&id).is_some_and(|message| message.receive_count == count)
    }

    fn hide(&mut self, id: u64, until: Instant) {
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

    /// Lines up what was hidden until now, or puts it aside when it was handed out too often.
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

    fn lane() -> (LaneState, Instant) {
        (LaneState::new(Lane::Dispatch, LIMITS), Instant::now())
    }

    fn bodies(taken: &[Taken]) -> Vec<&str> {
        taken.iter().map(|taken| &*taken.body).collect()
    }

    #[test]
    fn tenants_take_turns_however_many_messages_each_has() {
        let (mut lane, now) = lane();
        let [many, few, none] = [Some(TenantId::new()), Some(TenantId::new()), None];
        for (tenant_id, body) in [(many, "a1"), (many, "a2"), (many, "a3"), (few, "b1"), (none, "c1"), (few, "b2")] {
            lane.add(tenant_id, body.into(), Duration::ZERO, now);
        }
        assert_eq!(bodies(&lane.take(4, now)), ["a1", "b1", "c1", "a2"]);
        assert_eq!(bodies(&lane.take(9, now)), ["b2", "a3"]);
    }

    #[test]
    fn a_message_is_hidden_while_held_and_put_aside_after_its_last_receipt() {
        let (mut lane, now) = lane();
        lane.add(None, "once".into(), Duration::ZERO, now);
        assert_eq!(lane.take(1, now).len(), 1);
        let almost = now + LIMITS.visibility - Duration::from_millis(1);
        assert!(lane.take(1, almost).is_empty());
        assert_eq!(lane.take(1, now + LIMITS.visibility)[0].receive_count, 2);
        let later = now + 2 * LIMITS.visibility;
        assert!(lane.take(1, later).is_empty());
        assert_eq!(lane.depth(later), Depth { dead: 1, ..Depth::default() });
    }

    #[test]
    fn a_receipt_is_void_once_the_message_was_received_again() {
        let (mut lane, now) = lane();
        lane.add(None, "held".into(), Duration::ZERO, now);
        let first = lane.take(1, now).remove(0);
        let later = now + LIMITS.visibility;
        let second = lane.take(1, later).remove(0);
        lane.delete(first.id, first.receive_count);
        lane.bury(first.id, first.receive_count, "too late");
        assert_eq!(lane.depth(later).in_flight, 1);
        lane.delete(second.id, second.receive_count);
        assert!(lane.is_empty());
        assert_eq!(lane.next_due(), None);
    }

    #[test]
    fn a_message_deleted_after_it_was_shown_again_is_not_handed_out() {
        let (mut lane, now) = lane();
        lane.add(None, "slow".into(), Duration::ZERO, now);
        lane.add(None, "next".into(), Duration::ZERO, now);
        let slow = lane.take(1, now).remove(0);
        let later = now + LIMITS.visibility;
        assert_eq!(lane.depth(later).ready, 2);
        lane.delete(slow.id, slow.receive_count);
        assert_eq!(bodies(&lane.take(9, later)), ["next"]);
    }

    #[test]
    fn a_delay_beyond_all_clocks_is_no_panic() {
        let (mut lane, now) = lane();
        lane.add(None, "never".into(), Duration::MAX, now);
        assert!(lane.take(1, now).is_empty());
        assert!(lane.next_due().is_some());
    }
}
