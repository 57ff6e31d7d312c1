//! The mailbox of a connection: what waits to be written to it. Bounded, so that one that reads slowly costs the others
//! nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};

use crate::live::{Cursor, Topic};

/// How many events may wait. What we say ourselves goes in beside them.
const MOST: usize = 256;
/// How many bytes may wait.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// How many frames of our own may wait: whoever asks for more without reading is cut.
const MOST_OF_OURS: usize = 64;

/// Something to be written.
#[derive(Clone, Debug)]
pub struct Letter {
    pub text: Bytes,
    /// Of an event: its topic and place.
    pub mark: Option<(Topic, Cursor)>,
    /// What it tells the whole state of.
    pub state_of: Option<(Topic, String)>,
}

impl Letter {
    /// One that we say ourselves.
    pub fn ours(text: String) -> Self {
        Self { text: text.into(), mark: None, state_of: None }
    }
}

/// Why a connection is ended by us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// Its credential is no longer good.
    Revoked,
    /// It has said nothing for too long.
    Dead,
    /// It asked for more than it read.
    Flooded,
    /// It lasted as long as one may, or this process ends: come again, to the same place in the stream.
    ComeAgain,
}

impl Cut {
    /// The code of a close frame, and its reason.
    pub const fn close(self) -> (u16, &'static str) {
        match self {
            Self::Revoked => (4401, "the credential is no longer valid"),
            Self::Dead => (4408, "nothing was heard for too long"),
            Self::Flooded => (1008, "more was asked for than was read"),
            Self::ComeAgain => (1012, "come again"),
        }
    }
}

/// What is to be written next.
#[derive(Debug)]
pub enum Next {
    Letter(Letter),
    Cut(Cut),
}

/// What waits for one connection.
pub struct Mailbox {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    queue: VecDeque<Letter>,
    bytes: usize,
    ours: usize,
    /// The last event of each topic that was taken to be written.
    taken: BTreeMap<Topic, Cursor>,
    /// When something was last taken, or there was nothing to take.
    moved_at: Instant,
    cut: Option<Cut>,
}

impl Default for Mailbox {
    fn default() -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            ours: 0,
            taken: BTreeMap::new(),
            moved_at: Instant::now(),
            cut: None,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.queue.len() - self.ours >= MOST || self.bytes >= MOST_BYTES
    }

    fn add(&mut self, letter: Letter) {
        if self.queue.is_empty() {
            self.moved_at = Instant::now();
        }
        self.bytes += letter.text.len();
        self.ours += usize::from(letter.mark.is_none());
        self.queue.push_back(letter);
    }

    fn subtract(&mut self, letter: &Letter) {
        self.bytes -= letter.text.len();
        self.ours -= usize::from(letter.mark.is_none());
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event in; false when there is no room. To a reader that has taken nothing for so long, a state that is
    /// overtaken by this one is not told.
    pub fn put(&self, letter: &Letter, coalesce_after: Duration) -> bool {
        let mut state = self.lock();
        if state.is_full() {
            let overtaken = letter.state_of.as_ref().filter(|_| state.moved_at.elapsed() >= coalesce_after);
            let place = overtaken.and_then(|of| state.queue.iter().position(|one| one.state_of.as_ref() == Some(of)));
            let Some(removed) = place.and_then(|at| state.queue.remove(at)) else { return false };
            state.subtract(&removed);
        }
        state.add(letter.clone());
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Puts in what we say ourselves, behind what is there.
    pub fn say(&self, text: String) {
        let mut state = self.lock();
        state.add(Letter::ours(text));
        if state.ours > MOST_OF_OURS {
            state.cut.get_or_insert(Cut::Flooded);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Whether events go in.
    pub fn has_room(&self) -> bool {
        !self.lock().is_full()
    }

    /// How long nothing was taken of what waits.
    pub fn stalled_for(&self) -> Duration {
        let state = self.lock();
        if state.queue.is_empty() { Duration::ZERO } else { state.moved_at.elapsed() }
    }

    /// Drops all events that wait; answers the topics that they were of, each with the last that was taken of it.
    pub fn drop_events(&self) -> BTreeMap<Topic, Option<Cursor>> {
        let mut state = self.lock();
        let (dropped, kept): (VecDeque<_>, _) = state.queue.drain(..).partition(|letter| letter.mark.is_some());
        state.queue = kept;
        state.bytes = state.queue.iter().map(|letter| letter.text.len()).sum();
        let topics = dropped.iter().filter_map(|letter| letter.mark).map(|(topic, _)| topic);
        topics.map(|topic| (topic, state.taken.get(&topic).copied())).collect()
    }

    /// Ends the connection, whatever waits.
    pub fn cut(&self, why: Cut) {
        self.lock().cut.get_or_insert(why);
        self.changed.notify_one();
    }

    /// Waits for what is to be written next. One reader at a time.
    pub async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// What is to be written next, if there is anything.
    pub fn try_next(&self) -> Option<Next> {
        let mut state = self.lock();
        if let Some(why) = state.cut {
            return Some(Next::Cut(why));
        }
        let letter = state.queue.pop_front()?;
        state.subtract(&letter);
        state.moved_at = Instant::now();
        if let Some((topic, cursor)) = letter.mark {
            state.taken.insert(topic, cursor);
        }
        Some(Next::Letter(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64, state_of: Option<&str>) -> Letter {
        Letter {
            text: Bytes::from(seq.to_string()),
            mark: Some((Topic::Sessions, Cursor::Seq(seq))),
            state_of: state_of.map(|of| (Topic::Sessions, of.to_owned())),
        }
    }

    fn taken(mailbox: &Mailbox) -> Vec<String> {
        std::iter::from_fn(|| match mailbox.try_next()? {
            Next::Letter(letter) => Some(String::from_utf8_lossy(&letter.text).into_owned()),
            Next::Cut(_) => None,
        })
        .collect()
    }

    #[test]
    fn a_reader_that_takes_nothing_keeps_the_newest_of_each_state_and_all_else() {
        let (mailbox, patience, none) = (Mailbox::default(), Duration::MAX, Duration::ZERO);
        for seq in 1..=256 {
            assert!(mailbox.put(&event(seq, (seq % 64 == 0).then_some("usage")), patience));
        }
        assert!(!mailbox.put(&event(257, Some("usage")), patience), "it is only busy");
        assert!(!mailbox.put(&event(257, None), none), "what tells no state is never left out");
        assert!(mailbox.put(&event(257, Some("usage")), none));
        let left: Vec<_> = (1..=257).filter(|seq| *seq != 64).map(|seq| seq.to_string()).collect();
        assert_eq!(taken(&mailbox), left);
    }

    #[test]
    fn what_was_dropped_says_from_where_to_read_on() {
        let mailbox = Mailbox::default();
        for seq in 1..=3 {
            mailbox.put(&event(seq, None), Duration::ZERO);
        }
        mailbox.say("ours".to_owned());
        mailbox.try_next();
        assert_eq!(mailbox.drop_events(), BTreeMap::from([(Topic::Sessions, Some(Cursor::Seq(1)))]));
        assert_eq!(taken(&mailbox), ["ours"]);
    }

    #[test]
    fn whoever_asks_without_reading_is_cut() {
        let mailbox = Mailbox::default();
        for _ in 0..=MOST_OF_OURS {
            mailbox.say("pong".to_owned());
        }
        assert!(matches!(mailbox.try_next(), Some(Next::Cut(Cut::Flooded))));
    }
}
