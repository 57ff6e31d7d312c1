//! What passes through a queue, and how a job becomes text and is read back. A body that cannot be read is kept as it
//! came, with the reason, because newer code or a person may still make sense of it.

use std::time::Duration;

use crate::{
    id::TenantId,
    job::{Job, Lane, VERSION},
};

/// A message that was received, hidden from others until its time is over, it is deleted or put off.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub job: Result<Job, Unreadable>,
    pub receipt: Receipt,
    /// How often it was handed out, this time included.
    pub receive_count: u32,
    /// By whom turns are kept fair: on SQS the message group.
    pub tenant_id: Option<TenantId>,
}

impl Delivery {
    /// The body as it travels.
    pub fn body(&self) -> String {
        match &self.job {
            Ok(job) => write(job),
            Err(unreadable) => unreadable.raw.clone(),
        }
    }
}

/// A body that is no job of this version's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unreadable {
    pub raw: String,
    pub reason: String,
}

/// The right to delete or to put off one delivery of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    pub(super) lane: Lane,
    pub(super) handle: Handle,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Handle {
    Sqs(String),
    /// A later receipt of the same message has a higher `count` and makes this one void.
    Memory {
        id: u64,
        count: u32,
    },
}

impl Receipt {
    /// The receipt of a message that SQS handed to a function in an event.
    pub fn of_event(lane: Lane, handle: impl Into<String>) -> Self {
        Self { lane, handle: Handle::Sqs(handle.into()) }
    }

    pub fn lane(&self) -> Lane {
        self.lane
    }
}

/// A message that was put aside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dead {
    pub job: Result<Job, Unreadable>,
    pub tenant_id: Option<TenantId>,
    /// Why a handler gave it up; absent when it was merely handed out too often.
    pub reason: Option<String>,
}

/// How many messages a lane holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Depth {
    /// To be had at once.
    pub ready: usize,
    /// Sent with a delay that is not over.
    pub delayed: usize,
    /// Received, and neither deleted nor shown again.
    pub in_flight: usize,
    /// Put aside.
    pub dead: usize,
}

/// A message on its way in.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) lane: Lane,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) body: String,
    pub(super) after: Duration,
}

impl Outgoing {
    pub(super) fn job(job: &Job, after: Duration) -> Self {
        Self { lane: job.lane(), tenant_id: job.tenant_id(), body: write(job), after }
    }
}

fn write(job: &Job) -> String {
    serde_json::to_string(job).expect("a job is ids and a number, which JSON always holds")
}

/// Reads a body that came on `lane`.
pub fn read(lane: Lane, body: &str) -> Result<Job, Unreadable> {
    let unreadable = |reason: String| Unreadable { raw: body.to_owned(), reason };
    let job: Job = serde_json::from_str(body).map_err(|error| unreadable(format!("is no job: {error}")))?;
    if job.version() == 0 || job.version() > VERSION {
        return Err(unreadable(format!("has version {}, and this code reads 1 to {VERSION}", job.version())));
    }
    if job.lane() != lane {
        return Err(unreadable(format!("belongs on {}, and came on {}", job.lane().name(), lane.name())));
    }
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    #[test]
    fn a_job_is_read_back_as_it_was_written() {
        for job in [Job::dispatch, Job::observe, Job::give_back].map(|job| job(TenantId::new(), SessionId::new())) {
            assert_eq!(read(job.lane(), &write(&job)), Ok(job));
        }
    }

    #[test]
    fn a_body_that_is_no_job_of_this_lane_and_version_is_kept_with_the_reason() {
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
            let unreadable = read(Lane::Dispatch, &body).expect_err(&body);
            assert_eq!(unreadable.raw, body);
            assert!(unreadable.reason.contains(reason), "{body}: {}", unreadable.reason);
        }
    }
}
