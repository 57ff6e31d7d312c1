//! Any sequence of operations by several owners, held against a model of a few lines.

use std::time::Duration;

use proptest::{prelude::*, test_runner::Config};
use shared::platform::redis::lock::{AcquireOptions, AcquireOutcome, Fence, Grant, Locks, Resource};

use super::{MINUTE, lapse, locks, patient, resource};

const OWNERS: usize = 4;
const INSTANT: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
enum Operation {
    Acquire {
        owner: usize,
        priority: u8,
        wake_token: bool,
    },
    /// With any grant there ever was, counted from the newest.
    Renew(usize),
    Release(usize),
    Cancel(usize),
    /// The holder's lease runs out.
    Lapse,
    /// A waiter is never heard of again.
    Vanish(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0..OWNERS, 0..3_u8, any::<bool>())
            .prop_map(|(owner, priority, wake_token)| Operation::Acquire { owner, priority, wake_token }),
        1 => (0..3_usize).prop_map(Operation::Renew),
        3 => (0..2_usize).prop_map(Operation::Release),
        1 => (0..OWNERS).prop_map(Operation::Cancel),
        1 => Just(Operation::Lapse),
        1 => (0..OWNERS).prop_map(Operation::Vanish),
    ]
}

#[derive(Debug)]
struct Ticket {
    priority: u8,
    arrival: usize,
    owner: String,
    wake_token: Option<String>,
}

#[derive(Debug, Default)]
struct Model {
    holder: Option<(String, Fence)>,
    queue: Vec<Ticket>,
    arrivals: usize,
}

impl Model {
    fn place(&self, owner: &str) -> Option<usize> {
        self.queue.iter().position(|ticket| ticket.owner == owner).map(|ahead| ahead + 1)
    }

    fn leave(&mut self, owner: &str) -> Option<Ticket> {
        self.place(owner).map(|place| self.queue.remove(place - 1))
    }

    /// The place, or none when it is granted.
    fn acquire(&mut self, ask: &AcquireOptions) -> Option<usize> {
        let arrival = self.leave(&ask.owner).map_or(self.arrivals, |ticket| ticket.arrival);
        self.arrivals += 1;
        let (owner, wake_token, priority) = (ask.owner.clone(), ask.wake_token.clone(), ask.priority);
        self.queue.push(Ticket { priority, arrival, owner, wake_token });
        self.queue.sort_by_key(|ticket| (ticket.priority, ticket.arrival));
        let place = self.place(&ask.owner);
        if self.holder.is_none() && place == Some(1) {
            self.queue.remove(0);
            return None;
        }
        place
    }

    /// The wake token, once, when nobody holds the lock.
    fn call(&mut self) -> Option<String> {
        if self.holder.is_some() { None } else { self.queue.first_mut()?.wake_token.take() }
    }

    fn holds(&self, grant: &Grant) -> bool {
        self.holder.as_ref() == Some(&(grant.owner.clone(), grant.fence))
    }
}

/// The lock and the model of it, side by side.
struct Pair {
    locks: Locks,
    resource: Resource,
    model: Model,
    grants: Vec<Grant>,
}

impl Pair {
    async fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Acquire { owner, priority, wake_token } => {
                let wake_token = wake_token.then(|| format!("wake {owner} of {}", self.model.arrivals));
                self.acquire(AcquireOptions { priority, wake_token, ..patient(&name(owner)) }).await;
            }
            Operation::Renew(age) => self.renew(age).await,
            Operation::Release(age) => self.release(age).await,
            Operation::Cancel(owner) => {
                self.model.leave(&name(owner));
                let next = self.locks.cancel(&self.resource, &name(owner)).await.unwrap();
                assert_eq!(next, self.model.call());
            }
            Operation::Lapse => self.lapse().await,
            Operation::Vanish(owner) => self.vanish(name(owner)).await,
        }
        self.compare().await;
    }

    async fn acquire(&mut self, ask: AcquireOptions) {
        let expected = self.model.acquire(&ask);
        match self.locks.acquire(&self.resource, &ask).await.unwrap() {
            AcquireOutcome::Granted(grant) => {
                assert_eq!(expected, None);
                assert!(self.grants.last().is_none_or(|last| last.fence < grant.fence));
                self.model.holder = Some((grant.owner.clone(), grant.fence));
                self.grants.push(grant);
            }
            AcquireOutcome::Queued { place, next } => {
                assert_eq!((Some(place), next), (expected, self.model.call()));
            }
        }
    }

    async fn renew(&mut self, age: usize) {
        if let Some(grant) = self.grants.iter_mut().rev().nth(age) {
            assert_eq!(self.locks.renew(grant).await.unwrap(), self.model.holds(grant));
        }
    }

    async fn release(&mut self, age: usize) {
        let Some(grant) = self.grants.iter().rev().nth(age) else { return };
        let held = self.model.holds(grant);
        if held {
            self.model.holder = None;
        }
        let released = self.locks.release(grant).await.unwrap();
        assert_eq!((released.held, released.next), (held, self.model.call()));
    }

    async fn lapse(&mut self) {
        let Some(grant) = self.grants.last().filter(|grant| self.model.holds(grant)) else { return };
        lapse(&self.locks, grant).await;
        self.model.holder = None;
    }

    async fn vanish(&mut self, owner: String) {
        if self.model.holder.is_none() || self.model.leave(&owner).is_none() {
            return;
        }
        let ask = AcquireOptions { ticket: INSTANT, ..patient(&owner) };
        assert!(matches!(self.locks.acquire(&self.resource, &ask).await.unwrap(), AcquireOutcome::Queued { .. }));
        while self.locks.inspect(&self.resource, &owner).await.unwrap().place.is_some() {
            tokio::time::sleep(INSTANT).await;
        }
    }

    async fn compare(&self) {
        for owner in (0..OWNERS).map(name) {
            let standing = self.locks.inspect(&self.resource, &owner).await.unwrap();
            let holder = standing.holder.map(|holder| {
                assert!(holder.left <= MINUTE);
                (holder.owner, holder.fence)
            });
            assert_eq!(holder, self.model.holder);
            assert_eq!(standing.place, self.model.place(&owner));
            assert_eq!(standing.waiting, self.model.queue.len());
        }
    }
}

fn name(owner: usize) -> String {
    format!("owner {owner}")
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_sequence_of_operations_matches_the_model(operations in prop::collection::vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut pair = Pair { locks: locks(), resource: resource(), model: Model::default(), grants: Vec::new() };
            for operation in operations {
                pair.run(operation).await;
            }
        });
    }
}
