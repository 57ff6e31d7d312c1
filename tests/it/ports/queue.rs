//! The contract of every queue: the same claims about queues in memory and about SQS (`MiniStack`).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use harness::ministack::ministack;
use shared::{
    kernel::{
        error::Code,
        id::{SessionId, TenantId},
    },
    platform::queue::{
        Depth, Limits, MemoryQueue, Queue, QueueDelivery, Sqs, SqsSettings,
        job::{Job, QueueName},
    },
};

/// SQS counts in whole seconds.
const VISIBILITY: Duration = Duration::from_secs(1);
const MAX_RECEIVES: u32 = 2;
const QUEUE_NAME: QueueName = QueueName::Dispatch;
/// Long enough for any message that is on its way, short enough to wait for one that must not come.
const A_WHILE: Duration = Duration::from_secs(3);
const AT_ONCE: Duration = Duration::ZERO;

macro_rules! claims_of_every_queue {
    ($($claim:ident)+) => {
        mod memory {
            $(#[tokio::test]
            async fn $claim() {
                Box::pin(super::$claim(super::in_memory())).await;
            })+
        }
        mod sqs {
            $(#[tokio::test]
            async fn $claim() {
                Box::pin(super::$claim(super::on_sqs().await)).await;
            })+
        }
    };
}

claims_of_every_queue! {
    what_is_sent_is_received_and_after_deletion_never_again
    a_delayed_message_comes_when_its_time_is_over_and_not_before
    a_batch_of_25_arrives_whole_each_after_its_own_delay
    a_message_that_is_not_deleted_comes_back_and_is_counted
    a_message_can_be_shown_again_at_once
    a_message_can_be_kept_hidden_for_longer
    a_message_received_too_often_is_dead_lettered
    a_void_receipt_is_no_error
    dead_letters_can_be_listed_and_sent_on_their_way_again
    an_unreadable_body_is_dead_lettered
    a_body_of_newer_code_survives_a_redrive
    a_discarded_message_is_dead_lettered_at_once_with_its_reason
    one_who_waits_is_woken_by_a_message
    one_who_waits_in_vain_gets_nothing
    the_tenant_travels_with_the_message
    queues_are_independent_of_each_other
    the_queue_depth_is_reported
    it_answers_a_ping
}

fn in_memory() -> Queue {
    Queue::Memory(MemoryQueue::new(Limits { visibility: VISIBILITY, max_receives: MAX_RECEIVES }))
}

async fn on_sqs() -> Queue {
    let server = ministack();
    let name = SessionId::new();
    let settings = server.queues(&name.to_string(), VISIBILITY, MAX_RECEIVES).await;
    Queue::Sqs(Sqs::with_client(settings, server.sqs()))
}

fn job() -> Job {
    Job::dispatch(TenantId::new(), SessionId::new())
}

async fn take(queue: &Queue, wait: Duration) -> Option<QueueDelivery> {
    let mut taken = queue.receive(QUEUE_NAME, 1, wait).await.unwrap();
    assert!(taken.len() <= 1, "one was asked for");
    taken.pop()
}

async fn expect(queue: &Queue, job: &Job) -> QueueDelivery {
    let delivery = take(queue, A_WHILE).await.expect("a message comes");
    assert_eq!(delivery.job.as_ref(), Ok(job));
    delivery
}

/// Takes the message as often as it may be, and never deletes it.
async fn wear_out(queue: &Queue) {
    for _ in 0..MAX_RECEIVES {
        let delivery = take(queue, A_WHILE).await.expect("the message comes back");
        queue.retry_after(&delivery.receipt, AT_ONCE).await.unwrap();
    }
    assert!(take(queue, AT_ONCE).await.is_none(), "it was handed out too often");
}

async fn what_is_sent_is_received_and_after_deletion_never_again(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    let delivery = expect(&queue, &job).await;
    assert_eq!(delivery.receive_count, 1);
    queue.delete(&delivery.receipt).await.unwrap();
    assert!(take(&queue, VISIBILITY + Duration::from_millis(500)).await.is_none());
    assert_eq!(queue.depth(QUEUE_NAME).await.unwrap(), Depth::default());
}

async fn a_delayed_message_comes_when_its_time_is_over_and_not_before(queue: Queue) {
    let job = job();
    let sent = Instant::now();
    queue.send_after(&job, Duration::from_millis(700)).await.unwrap();
    assert!(take(&queue, AT_ONCE).await.is_none());
    expect(&queue, &job).await;
    assert!(sent.elapsed() >= Duration::from_millis(700), "came after {:?}", sent.elapsed());
    assert!(sent.elapsed() < Duration::from_millis(1800), "came after {:?}", sent.elapsed());
}

async fn a_batch_of_25_arrives_whole_each_after_its_own_delay(queue: Queue) {
    let jobs: Vec<_> = (0..25).map(|n| (job(), Duration::from_secs(u64::from(n % 5 == 0)))).collect();
    queue.send_all(&jobs).await.unwrap();
    let mut come = Vec::new();
    while come.len() < jobs.len() {
        let taken = queue.receive(QUEUE_NAME, 10, A_WHILE).await.unwrap();
        assert!(!taken.is_empty(), "only {} came", come.len());
        assert!(taken.len() <= 10);
        for delivery in taken {
            queue.delete(&delivery.receipt).await.unwrap();
            come.push(delivery.job.unwrap());
        }
    }
    let ids = |jobs: &[Job]| jobs.iter().map(|job| format!("{job:?}")).collect::<BTreeSet<_>>();
    let late: Vec<_> = jobs.iter().filter(|(_, after)| !after.is_zero()).map(|(job, _)| job.clone()).collect();
    assert_eq!(ids(&come), ids(&jobs.iter().map(|(job, _)| job.clone()).collect::<Vec<_>>()));
    assert_eq!(ids(&come[20..]), ids(&late), "the delayed ones come last");
}

async fn a_message_that_is_not_deleted_comes_back_and_is_counted(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    let taken = Instant::now();
    expect(&queue, &job).await;
    assert!(take(&queue, AT_ONCE).await.is_none(), "it is hidden meanwhile");
    let again = expect(&queue, &job).await;
    assert_eq!(again.receive_count, 2);
    assert!(taken.elapsed() > Duration::from_millis(900), "came after {:?}", taken.elapsed());
}

async fn a_message_can_be_shown_again_at_once(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    let delivery = expect(&queue, &job).await;
    queue.retry_after(&delivery.receipt, AT_ONCE).await.unwrap();
    let again = take(&queue, Duration::from_millis(500)).await.expect("it is shown at once");
    assert_eq!(again.receive_count, 2);
}

async fn a_message_can_be_kept_hidden_for_longer(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    let delivery = expect(&queue, &job).await;
    queue.retry_after(&delivery.receipt, 2 * VISIBILITY).await.unwrap();
    let asked = Instant::now();
    expect(&queue, &job).await;
    assert!(asked.elapsed() > Duration::from_millis(1800), "came after {:?}", asked.elapsed());
}

async fn a_message_received_too_often_is_dead_lettered(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    wear_out(&queue).await;
    let dead = queue.list_dead_letters(QUEUE_NAME, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].job.as_ref(), Ok(&job));
    assert_eq!(dead[0].reason, None);
}

async fn a_void_receipt_is_no_error(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    let first = expect(&queue, &job).await;
    queue.retry_after(&first.receipt, AT_ONCE).await.unwrap();
    let second = expect(&queue, &job).await;
    queue.delete(&second.receipt).await.unwrap();
    queue.delete(&first.receipt).await.unwrap();
    queue.delete(&second.receipt).await.unwrap();
    queue.retry_after(&first.receipt, AT_ONCE).await.unwrap();
    assert!(take(&queue, AT_ONCE).await.is_none());
}

async fn dead_letters_can_be_listed_and_sent_on_their_way_again(queue: Queue) {
    let jobs: Vec<_> = (0..12).map(|_| (job(), AT_ONCE)).collect();
    queue.send_all(&jobs).await.unwrap();
    let mut left = jobs.len();
    while left > 0 {
        for delivery in queue.receive(QUEUE_NAME, 10, A_WHILE).await.unwrap() {
            queue.dead_letter(&delivery, "tried enough").await.unwrap();
            left -= 1;
        }
    }
    assert_eq!(queue.list_dead_letters(QUEUE_NAME, 3).await.unwrap().len(), 3);
    assert_eq!(queue.list_dead_letters(QUEUE_NAME, 100).await.unwrap().len(), 12, "listing leaves them where they are");
    assert_eq!(queue.redrive_dead_letters(QUEUE_NAME).await.unwrap(), 12);
    assert_eq!(queue.redrive_dead_letters(QUEUE_NAME).await.unwrap(), 0);
    let mut back = BTreeSet::new();
    while back.len() < 12 {
        let taken = queue.receive(QUEUE_NAME, 10, A_WHILE).await.unwrap();
        assert!(!taken.is_empty(), "only {} came back", back.len());
        for delivery in taken {
            assert_eq!(delivery.receive_count, 1, "it starts anew");
            assert_eq!(delivery.tenant_id, delivery.job.as_ref().unwrap().tenant_id(), "its turn is its tenant's");
            queue.delete(&delivery.receipt).await.unwrap();
            back.insert(format!("{:?}", delivery.job.unwrap()));
        }
    }
    assert_eq!(queue.depth(QUEUE_NAME).await.unwrap(), Depth::default());
}

async fn an_unreadable_body_is_dead_lettered(queue: Queue) {
    queue.send_text(QUEUE_NAME, None, "{ not a job").await.unwrap();
    let delivery = take(&queue, A_WHILE).await.expect("it is delivered like any other");
    let unreadable = delivery.job.unwrap_err();
    assert_eq!(unreadable.raw, "{ not a job");
    assert!(unreadable.reason.contains("is no job"), "{}", unreadable.reason);
    queue.retry_after(&delivery.receipt, AT_ONCE).await.unwrap();
    take(&queue, A_WHILE).await.expect("it comes back once");
    let mut dead = Vec::new();
    for _ in 0..20 {
        assert!(take(&queue, Duration::from_millis(100)).await.is_none());
        dead = queue.list_dead_letters(QUEUE_NAME, 10).await.unwrap();
        if !dead.is_empty() {
            break;
        }
    }
    assert_eq!(dead[0].job.as_ref().unwrap_err().raw, "{ not a job");
}

async fn a_body_of_newer_code_survives_a_redrive(queue: Queue) {
    let tenant_id = TenantId::new();
    let body = format!(r#"{{"job":"dispatch","version":200,"tenant_id":"{tenant_id}","session_id":"{tenant_id}"}}"#);
    queue.send_text(QUEUE_NAME, Some(tenant_id), &body).await.unwrap();
    wear_out(&queue).await;
    assert_eq!(queue.redrive_dead_letters(QUEUE_NAME).await.unwrap(), 1);
    let again = take(&queue, A_WHILE).await.expect("it is back");
    assert_eq!(again.tenant_id, Some(tenant_id));
    assert_eq!(again.body(), body);
}

async fn a_discarded_message_is_dead_lettered_at_once_with_its_reason(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    let delivery = expect(&queue, &job).await;
    queue.dead_letter(&delivery, "the session\n does not exist").await.unwrap();
    assert!(take(&queue, VISIBILITY + Duration::from_millis(500)).await.is_none());
    let dead = queue.list_dead_letters(QUEUE_NAME, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].job.as_ref(), Ok(&job));
    assert_eq!(dead[0].tenant_id, job.tenant_id());
    assert_eq!(dead[0].reason.as_deref(), Some("the session does not exist"));
}

async fn one_who_waits_is_woken_by_a_message(queue: Queue) {
    let job = job();
    let waits = async {
        expect(&queue, &job).await;
        Instant::now()
    };
    let sends = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        queue.send(&job).await.unwrap();
        Instant::now()
    };
    let (woken, sent) = tokio::join!(waits, sends);
    let late = woken.saturating_duration_since(sent);
    assert!(late < Duration::from_millis(600), "woken {late:?} after the message");
}

async fn one_who_waits_in_vain_gets_nothing(queue: Queue) {
    let asked = Instant::now();
    assert!(take(&queue, Duration::from_secs(1)).await.is_none());
    assert!(asked.elapsed() >= Duration::from_millis(900), "gave up after {:?}", asked.elapsed());
}

async fn the_tenant_travels_with_the_message(queue: Queue) {
    let job = job();
    queue.send(&job).await.unwrap();
    assert_eq!(expect(&queue, &job).await.tenant_id, job.tenant_id());
}

async fn queues_are_independent_of_each_other(queue: Queue) {
    let (first, second) = (job(), Job::observe(TenantId::new(), SessionId::new()));
    queue.send_all(&[(first.clone(), AT_ONCE), (second.clone(), AT_ONCE)]).await.unwrap();
    expect(&queue, &first).await;
    let observed = queue.receive(QueueName::Observe, 10, A_WHILE).await.unwrap();
    assert_eq!(observed.len(), 1);
    assert_eq!(observed[0].job, Ok(second));
}

async fn the_queue_depth_is_reported(queue: Queue) {
    queue.send_all(&[(job(), AT_ONCE), (job(), AT_ONCE), (job(), Duration::from_mins(1))]).await.unwrap();
    take(&queue, A_WHILE).await.expect("one of two");
    let depth = queue.depth(QUEUE_NAME).await.unwrap();
    assert_eq!(depth, Depth { ready: 1, delayed: 1, in_flight: 1, dead: 0 });
}

async fn it_answers_a_ping(queue: Queue) {
    queue.ping().await.unwrap();
}

#[tokio::test]
async fn an_unresponsive_sqs_is_detected_within_a_second() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = ministack().sqs().config().to_builder();
    let config = config.endpoint_url(format!("http://{}", silent.local_addr().unwrap())).build();
    let url = |name: &str| format!("http://{}/{name}", silent.local_addr().unwrap());
    let settings = SqsSettings {
        dispatch_url: url("a"),
        observe_url: url("b"),
        poll_url: url("c"),
        train_url: url("d"),
        ..SqsSettings::default()
    };
    let queue = Queue::Sqs(Sqs::with_client(settings, aws_sdk_sqs::Client::from_conf(config)));
    let asked = Instant::now();
    assert_eq!(queue.ping().await.unwrap_err().code(), Code::DependencyUnavailable);
    assert!(asked.elapsed() < Duration::from_millis(1200), "known after {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_reconcile_job_cannot_be_sent_to_sqs_because_a_schedule_runs_it() {
    let queue = on_sqs().await;
    assert_eq!(queue.send(&Job::reconcile()).await.unwrap_err().code(), Code::InternalError);
}
