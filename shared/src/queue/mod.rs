//! The doorbells: jobs travel on SQS in the cloud and on lanes in memory when everything runs in one process.
//!
//! A message may come twice, late, or (after a crash of a process that kept its lanes in memory) never: the rows say
//! what is due and the sweep rings again. What a queue does promise: a message that is not deleted comes back, one that
//! came back too often is put aside in the lane's dead letters, and no body is thrown away because it cannot be read.

mod lane;
mod memory;
mod message;
mod sqs;

use std::time::Duration;

pub use memory::{Limits, Memory};
pub use message::{Dead, Delivery, Depth, Receipt, Unreadable, read};
pub use sqs::{Settings, Sqs};

use crate::{
    error::Result,
    id::TenantId,
    job::{Job, Lane},
};
use message::Outgoing;

/// How long a received message stays hidden from others: six times what a worker function may take, as AWS advises.
pub const VISIBILITY: Duration = Duration::from_mins(15);

/// How long the queue of a lane hides a message: curating a large dataset may take all the time that a function has.
pub const fn visibility(lane: Lane) -> Duration {
    match lane {
        Lane::Train => Duration::from_mins(90),
        Lane::Dispatch | Lane::Observe | Lane::Broadcast | Lane::Poll | Lane::Sweep => VISIBILITY,
    }
}

/// How often a message is handed out before it is put aside.
pub const MAX_RECEIVES: u32 = 5;

/// The longest delay that SQS knows. What is due later is rung early and put off once more by its handler.
pub const MAX_DELAY: Duration = Duration::from_mins(15);

/// What is kept of the reason why a job was given up, in characters: SQS counts it as part of the message.
const LONGEST_REASON: usize = 1000;

/// The sweep rings each minute anyhow.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How long a failed job rests before it is shown again: 1 s, doubling with each time it was received.
pub fn pause(receive_count: u32) -> Duration {
    Duration::from_secs(1 << receive_count.saturating_sub(1).min(6)).min(LONGEST_PAUSE)
}

/// Where jobs travel. Cloning is cheap, and clones share the lanes. The calls to SQS are boxed: their futures are large,
/// and everything that rings a bell would carry them.
#[derive(Clone, Debug)]
pub enum Queue {
    Sqs(Sqs),
    Memory(Memory),
}

impl Queue {
    /// Rings now.
    pub async fn send(&self, job: &Job) -> Result<()> {
        self.send_after(job, Duration::ZERO).await
    }

    /// Rings after a while: on SQS in whole seconds rounded up and cut at [`MAX_DELAY`], in memory exactly.
    pub async fn send_after(&self, job: &Job, after: Duration) -> Result<()> {
        self.put(vec![Outgoing::job(job, after)]).await
    }

    /// Rings for many, each after its own while. An error means that some may not have been sent.
    pub async fn send_all(&self, jobs: &[(Job, Duration)]) -> Result<()> {
        self.put(jobs.iter().map(|(job, after)| Outgoing::job(job, *after)).collect()).await
    }

    /// Sends a body as it is, readable or not: how dead letters travel back, and how a test sends a broken one.
    pub async fn send_text(&self, lane: Lane, tenant_id: Option<TenantId>, body: &str) -> Result<()> {
        self.put(vec![Outgoing { lane, tenant_id, body: body.to_owned(), after: Duration::ZERO }]).await
    }

    /// Takes up to `max` messages (SQS: ten) and hides them from others for a while; waits up to `wait` (SQS: 20 s) for
    /// the first one.
    pub async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.receive(lane, max, wait)).await,
            Self::Memory(memory) => Ok(memory.receive(lane, max, wait).await),
        }
    }

    /// The message is dealt with. One that somebody else has received since is left to them.
    pub async fn delete(&self, receipt: &Receipt) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.delete(receipt)).await,
            Self::Memory(memory) => {
                memory.delete(receipt);
                Ok(())
            }
        }
    }

    /// Shows a received message again after this time, counted as one more receipt.
    pub async fn retry_after(&self, receipt: &Receipt, after: Duration) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.retry_after(receipt, after)).await,
            Self::Memory(memory) => {
                memory.retry_after(receipt, after);
                Ok(())
            }
        }
    }

    /// Puts a received message aside among the dead letters, with the reason for a person to read.
    pub async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<()> {
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.bury(delivery, reason)).await,
            Self::Memory(memory) => {
                memory.bury(delivery, &reason);
                Ok(())
            }
        }
    }

    /// Whether the queue answers within a second.
    pub async fn ping(&self) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.ping()).await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// How many messages there are, by what they wait for. SQS only knows about.
    pub async fn depth(&self, lane: Lane) -> Result<Depth> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.depth(lane)).await,
            Self::Memory(memory) => Ok(memory.depth(lane)),
        }
    }

    /// Up to `max` of the dead letters of a lane, which stay where they are.
    pub async fn dead(&self, lane: Lane, max: usize) -> Result<Vec<Dead>> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.dead(lane, max)).await,
            Self::Memory(memory) => Ok(memory.dead(lane, max)),
        }
    }

    /// Sends every dead letter of a lane on its way again and says how many. A crash half-way doubles one, and loses
    /// none.
    pub async fn redrive(&self, lane: Lane) -> Result<usize> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.redrive(lane)).await,
            Self::Memory(memory) => Ok(memory.redrive(lane)),
        }
    }

    async fn put(&self, messages: Vec<Outgoing>) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.put(messages)).await,
            Self::Memory(memory) => {
                memory.put(messages);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_job_rests_longer_each_time_and_at_most_a_minute() {
        let pauses: Vec<u64> = (0..10).map(|count| pause(count).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
