//! Job queues: SQS in the cloud, in memory when everything runs in one process.
//!
//! A message may arrive twice, late, or never (after a crash of a process with queues in memory): the rows say what is
//! due, and the reconciler enqueues them again. A queue guarantees that a message that is not deleted is delivered
//! again, that one with too many deliveries moves to the dead-letter queue, and that an unreadable body is never lost.

pub mod job;
mod limits;
mod memory;
mod message;
mod queue_state;
mod sqs;

use std::time::Duration;

pub use limits::{Limits, MAX_DELAY, MAX_RECEIVES, VISIBILITY};
pub use memory::MemoryQueue;
pub use message::{Dead, Depth, QueueDelivery, Receipt, Unreadable, read};
pub use sqs::{Sqs, SqsSettings};

use crate::{
    kernel::{backoff::RetryPolicy, error::Result, id::TenantId},
    platform::queue::job::{Job, QueueName},
};
use message::Outgoing;

/// The visibility timeout of a queue. Curating a large dataset may use the whole timeout of its function.
pub const fn visibility_timeout(queue_name: QueueName) -> Duration {
    match queue_name {
        QueueName::Train => Duration::from_mins(90),
        QueueName::Dispatch | QueueName::Observe | QueueName::Broadcast | QueueName::Poll | QueueName::Reconcile => {
            VISIBILITY
        }
    }
}

/// The longest reason kept with a dead letter, in characters: SQS counts it as part of the message.
const LONGEST_REASON: usize = 1000;

/// The pauses before a failed job is delivered again. The reconciler enqueues what is due each minute in any case.
const REDELIVERY: RetryPolicy = RetryPolicy::new(Duration::from_secs(1), Duration::from_mins(1));

/// The delay before a failed job is delivered again: 1 s, doubled with each delivery.
pub fn retry_pause(receive_count: u32) -> Duration {
    REDELIVERY.retry_delay(i32::try_from(receive_count).unwrap_or(i32::MAX))
}

/// The queues for jobs. Clones share them. The calls to SQS are boxed: their futures are large, and every caller that
/// enqueues would contain them.
#[derive(Clone, Debug)]
pub enum Queue {
    Sqs(Sqs),
    Memory(MemoryQueue),
}

impl Queue {
    /// Enqueues a job.
    pub async fn send(&self, job: &Job) -> Result<()> {
        self.send_after(job, Duration::ZERO).await
    }

    /// Enqueues a job with a delay: on SQS in whole seconds, rounded up and limited to [`MAX_DELAY`]; in memory
    /// exactly.
    pub async fn send_after(&self, job: &Job, after: Duration) -> Result<()> {
        self.put_messages(vec![Outgoing::job(job, after)]).await
    }

    /// Enqueues several jobs, each with its own delay. An error means that some may not have been sent.
    pub async fn send_all(&self, jobs: &[(Job, Duration)]) -> Result<()> {
        self.put_messages(jobs.iter().map(|(job, after)| Outgoing::job(job, *after)).collect()).await
    }

    /// Sends a body unchanged, readable or not. Redrive and tests use it.
    pub async fn send_text(&self, queue_name: QueueName, tenant_id: Option<TenantId>, body: &str) -> Result<()> {
        self.put_messages(vec![Outgoing { queue_name, tenant_id, body: body.to_owned(), after: Duration::ZERO }]).await
    }

    /// Receives up to `max` messages (SQS: ten) and hides them from other receivers. It waits up to `wait` (SQS: 20 s)
    /// for the first one.
    pub async fn receive(&self, queue_name: QueueName, max: usize, wait: Duration) -> Result<Vec<QueueDelivery>> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.receive(queue_name, max, wait)).await,
            Self::Memory(memory) => Ok(memory.receive(queue_name, max, wait).await),
        }
    }

    /// Deletes a handled message. A message that another receiver has by now is left to that receiver.
    pub async fn delete(&self, receipt: &Receipt) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.delete(receipt)).await,
            Self::Memory(memory) => {
                memory.delete(receipt);
                Ok(())
            }
        }
    }

    /// Makes a received message visible again after this time. That counts as one more delivery.
    pub async fn retry_after(&self, receipt: &Receipt, after: Duration) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.retry_after(receipt, after)).await,
            Self::Memory(memory) => {
                memory.retry_after(receipt, after);
                Ok(())
            }
        }
    }

    /// Moves a received message to the dead-letter queue, with a reason for people.
    pub async fn dead_letter(&self, delivery: &QueueDelivery, reason: &str) -> Result<()> {
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.dead_letter(delivery, reason)).await,
            Self::Memory(memory) => {
                memory.dead_letter(delivery, &reason);
                Ok(())
            }
        }
    }

    /// Checks that the queue answers within a second.
    pub async fn ping(&self) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.ping()).await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// The number of messages by state. SQS answers approximately.
    pub async fn depth(&self, queue_name: QueueName) -> Result<Depth> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.depth(queue_name)).await,
            Self::Memory(memory) => Ok(memory.depth(queue_name)),
        }
    }

    /// Lists up to `max` dead letters of a queue without removing them.
    pub async fn list_dead_letters(&self, queue_name: QueueName, max: usize) -> Result<Vec<Dead>> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.list_dead_letters(queue_name, max)).await,
            Self::Memory(memory) => Ok(memory.list_dead_letters(queue_name, max)),
        }
    }

    /// Redrives every dead letter of a queue and returns their number. A crash may duplicate one and loses none.
    pub async fn redrive_dead_letters(&self, queue_name: QueueName) -> Result<usize> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.redrive_dead_letters(queue_name)).await,
            Self::Memory(memory) => Ok(memory.redrive_dead_letters(queue_name)),
        }
    }

    async fn put_messages(&self, messages: Vec<Outgoing>) -> Result<()> {
        match self {
            Self::Sqs(sqs) => Box::pin(sqs.put_messages(messages)).await,
            Self::Memory(memory) => {
                memory.put_messages(messages);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_of_a_failed_job_grows_to_at_most_a_minute() {
        let pauses: Vec<u64> = (0..10).map(|count| retry_pause(count).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(retry_pause(u32::MAX).as_secs(), 60);
    }
}
