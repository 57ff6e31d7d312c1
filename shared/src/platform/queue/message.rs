//! The messages of a queue, and the encoding of a job as text. A body that cannot be read is kept as it
//! came, with the reason, because newer code or a person may still make sense of it.

use std::time::Duration;

use crate::{
    kernel::id::TenantId,
    platform::queue::job::{Job, QueueName, VERSION},
};

/// A received message. It is hidden from other receivers until its visibility timeout, or until it is deleted or
/// delayed.
#[derive(Clone, Debug)]
pub struct QueueDelivery {
    pub job: Result<Job, Unreadable>,
    pub receipt: Receipt,
    /// How often it was delivered, including this time.
    pub receive_count: u32,
    /// The tenant for fair queues: the message group on SQS.
    pub tenant_id: Option<TenantId>,
}

impl QueueDelivery {
    /// The encoded body.
    pub fn body(&self) -> String {
        match &self.job {
            Ok(job) => write(job),
            Err(unreadable) => unreadable.raw.clone(),
        }
    }
}

/// A body that is not a job of this version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unreadable {
    pub raw: String,
    pub reason: String,
}

/// The right to delete or delay one delivery of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    pub(super) queue_name: QueueName,
    pub(super) handle: Handle,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Handle {
    Sqs(String),
    /// A later receipt of the same message has a higher `count` and invalidates this one.
    Memory {
        id: u64,
        count: u32,
    },
}

impl Receipt {
    /// The receipt of a message that SQS passed to a function in an event.
    pub fn of_event(queue_name: QueueName, handle: impl Into<String>) -> Self {
        Self { queue_name, handle: Handle::Sqs(handle.into()) }
    }

    pub fn queue_name(&self) -> QueueName {
        self.queue_name
    }
}

/// A dead letter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dead {
    pub job: Result<Job, Unreadable>,
    pub tenant_id: Option<TenantId>,
    /// Why a handler discarded it; absent after too many deliveries.
    pub reason: Option<String>,
}

/// The number of messages of a queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Depth {
    /// Ready for delivery.
    pub ready: usize,
    /// Delayed.
    pub delayed: usize,
    /// In flight: received, and neither deleted nor visible again.
    pub in_flight: usize,
    /// Dead letters.
    pub dead: usize,
}

/// A message to send.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) queue_name: QueueName,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) body: String,
    pub(super) after: Duration,
}

impl Outgoing {
    pub(super) fn job(job: &Job, after: Duration) -> Self {
        Self { queue_name: job.queue_name(), tenant_id: job.tenant_id(), body: write(job), after }
    }
}

fn write(job: &Job) -> String {
    serde_json::to_string(job).expect("a job is ids and a number, which JSON always holds")
}

/// Parses a body received from `queue_name`.
pub fn read(queue_name: QueueName, body: &str) -> Result<Job, Unreadable> {
    let unreadable = |reason: String| Unreadable { raw: body.to_owned(), reason };
    let job: Job = serde_json::from_str(body).map_err(|error| unreadable(format!("is no job: {error}")))?;
    if job.version() == 0 || job.version() > VERSION {
        return Err(unreadable(format!("has version {}, and this code reads 1 to {VERSION}", job.version())));
    }
    if job.queue_name() != queue_name {
        return Err(unreadable(format!("belongs on {}, and came on {}", job.queue_name().name(), queue_name.name())));
    }
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::SessionId;

    #[test]
    fn a_job_is_read_back_as_it_was_written() {
        for job in
            [Job::dispatch, Job::observe, Job::release_workspace].map(|job| job(TenantId::new(), SessionId::new()))
        {
            assert_eq!(read(job.queue_name(), &write(&job)), Ok(job));
        }
    }

    #[test]
    fn a_body_that_is_not_a_job_of_this_queue_and_version_is_kept_with_the_reason() {
        let id = "0193c0de-0000-7000-8000-000000000000";
        let job = |name: &str, version: u8, more: &str| {
            format!(r#"{{"job":"{name}","version":{version},"tenant_id":"{id}","session_id":"{id}"{more}}}"#)
        };
        for (body, reason) in [
            ("not json".to_owned(), "is no job"),
            (String::new(), "is no job"),
            (job("train", 1, ""), "is no job"),
            (job("dispatch", 1, r#","colour":"red""#), "is no job"),
            (job("dispatch", VERSION + 1, ""), "version"),
            (job("dispatch", 0, ""), "version"),
            (job("observe", 1, ""), "belongs on observe"),
        ] {
            let unreadable = read(QueueName::Dispatch, &body).expect_err(&body);
            assert_eq!(unreadable.raw, body);
            assert!(unreadable.reason.contains(reason), "{body}: {}", unreadable.reason);
        }
    }
}
