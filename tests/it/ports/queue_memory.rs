//! Guarantees of the queues in memory only: exact delays, delivery within microseconds, and no message without a
//! waiting receiver.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use shared::{
    kernel::id::{SessionId, TenantId},
    platform::queue::{
        Limits, MemoryQueue, Queue,
        job::{Job, QueueName},
    },
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

fn job() -> Job {
    Job::observe(TenantId::new(), SessionId::new())
}

async fn take_one(queue: &Queue, wait: Duration) -> Option<Job> {
    let mut taken = queue.receive(QueueName::Observe, 1, wait).await.unwrap();
    let delivery = taken.pop()?;
    queue.delete(&delivery.receipt).await.unwrap();
    Some(delivery.job.unwrap())
}

#[tokio::test]
async fn a_message_is_delivered_within_microseconds() {
    const ROUNDS: u32 = 2000;
    let queue = Queue::Memory(MemoryQueue::default());
    let mut waits = Vec::new();
    for _ in 0..ROUNDS {
        let receive = async {
            take_one(&queue, Duration::from_secs(5)).await.unwrap();
            Instant::now()
        };
        let send = async {
            let sent = Instant::now();
            queue.send(&job()).await.unwrap();
            sent
        };
        let (end, start) = tokio::join!(receive, send);
        waits.push(end - start);
    }
    waits.sort();
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!("handover in memory: median {median:?}, p99 {p99:?}");
    assert!(median < Duration::from_millis(1), "median {median:?}");
}

#[tokio::test]
async fn a_delay_is_kept_to_the_millisecond_or_two() {
    let queue = Queue::Memory(MemoryQueue::default());
    let delay = Duration::from_millis(20);
    let mut late = Vec::new();
    for _ in 0..20 {
        let sent = Instant::now();
        queue.send_after(&job(), delay).await.unwrap();
        take_one(&queue, Duration::from_secs(5)).await.unwrap();
        late.push(sent.elapsed().checked_sub(delay).expect("not before its time"));
    }
    late.sort();
    println!("late by: best {:?}, median {:?}", late[0], late[late.len() / 2]);
    assert!(late[0] < Duration::from_millis(20), "on a busy machine some may be late, but not all: {late:?}");
}

#[tokio::test]
async fn a_shorter_delay_sent_later_wakes_first() {
    let queue = Queue::Memory(MemoryQueue::default());
    let (slow, quick) = (job(), job());
    let waits = take_one(&queue, Duration::from_secs(5));
    let sends = async {
        queue.send_after(&slow, Duration::from_secs(4)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        queue.send_after(&quick, Duration::from_millis(10)).await.unwrap();
    };
    let started = Instant::now();
    assert_eq!(tokio::join!(waits, sends).0, Some(quick));
    assert!(started.elapsed() < Duration::from_secs(2), "woken after {:?}", started.elapsed());
}

#[tokio::test]
async fn another_receiver_takes_over_when_the_one_waiting_for_a_delay_is_dropped() {
    let queue = Queue::Memory(MemoryQueue::default());
    let watches = timeout(Duration::from_millis(30), take_one(&queue, Duration::from_secs(5)));
    let waits = async {
        tokio::task::yield_now().await;
        take_one(&queue, Duration::from_secs(5)).await
    };
    let sends = async {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        queue.send_after(&job(), Duration::from_millis(80)).await.unwrap();
    };
    let started = Instant::now();
    let (dropped, taken, ()) = tokio::join!(watches, waits, sends);
    assert!(dropped.is_err(), "dropped before the message was due");
    assert!(taken.is_some());
    assert!(started.elapsed() < Duration::from_secs(2), "woken after {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_workers_see_each_of_4000_messages_once() {
    const MESSAGES: usize = 4000;
    let memory = MemoryQueue::default();
    let queue = Queue::Memory(memory.clone());
    let tracker = TaskTracker::new();
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            tracker.spawn(async move {
                let mut seen = Vec::new();
                while let Some(job) = take_one(&queue, Duration::from_millis(300)).await {
                    seen.push(job);
                }
                seen
            })
        })
        .collect();
    for n in 0..MESSAGES {
        queue.send_after(&job(), Duration::from_millis((n % 7) as u64)).await.unwrap();
        if n % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut seen = Vec::new();
    for worker in workers {
        seen.extend(worker.await.unwrap());
    }
    assert_eq!(seen.len(), MESSAGES);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>().len(), MESSAGES);
    assert!(memory.is_idle());
}

#[tokio::test]
async fn a_queue_can_be_emptied_like_that_of_a_lost_process() {
    let memory = MemoryQueue::new(Limits::default());
    let queue = Queue::Memory(memory.clone());
    let jobs = [job(), job(), job()];
    queue.send(&jobs[0]).await.unwrap();
    queue.send_after(&jobs[1], Duration::from_mins(1)).await.unwrap();
    queue.receive(QueueName::Observe, 1, Duration::ZERO).await.unwrap();
    queue.send(&jobs[2]).await.unwrap();
    assert!(!memory.is_idle());
    let lost: HashSet<_> = memory.drain(QueueName::Observe).into_iter().collect();
    assert_eq!(lost, jobs.into_iter().collect());
    assert!(memory.is_idle());
    assert!(take_one(&queue, Duration::from_millis(50)).await.is_none());
}
