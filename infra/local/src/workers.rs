//! The background jobs in this process; on Lambda these are the functions of the queues and the schedule.

use std::{sync::Arc, time::Duration};

use functions::{
    host::{MessageDisposition, settle_message},
    jobs,
};
use shared::{
    app::App,
    platform::queue::{
        QueueDelivery, VISIBILITY,
        job::{Job, QueueName},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many jobs of a queue run at once. They mostly wait for other servers.
const AT_ONCE: usize = 32;

/// The maximum number of messages per receive.
const BATCH: usize = 10;

/// How long a receive waits for a message: the maximum of SQS.
const WAIT: Duration = Duration::from_secs(20);

/// How long running jobs may take to end when this process does. The next start resumes interrupted ones.
const GRACE: Duration = Duration::from_secs(5);

/// Runs jobs until the end.
pub async fn run(app: &App, end: &CancellationToken) {
    let tasks = TaskTracker::new();
    for queue_name in QueueName::ALL {
        tasks.spawn(serve(app.clone(), queue_name, tasks.clone(), end.clone()));
    }
    end.run_until_cancelled(enqueue_reconciliation(app)).await;
    tasks.close();
    _ = timeout(GRACE, tasks.wait()).await;
}

/// Enqueues a reconciliation each minute, and at once for due rows of an earlier process.
async fn enqueue_reconciliation(app: &App) {
    let mut minutes = interval(Duration::from_mins(1));
    loop {
        minutes.tick().await;
        app.enqueue(&[(Job::reconcile(), Duration::ZERO)]).await;
    }
}

async fn serve(app: App, queue_name: QueueName, tasks: TaskTracker, end: CancellationToken) {
    let capacity = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Ok(permit)) = end.run_until_cancelled(capacity.clone().acquire_owned()).await {
        // Only this loop acquires permits: those that are free now stay free until it does.
        let most = (1 + capacity.available_permits()).min(BATCH);
        let Some(received) = end.run_until_cancelled(app.queue.receive(queue_name, most, WAIT)).await else { return };
        let messages = match received {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(?error, queue_name = queue_name.name(), "the queue does not answer");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let mut permit = Some(permit);
        for message in messages {
            let permit = permit.take().or_else(|| capacity.clone().try_acquire_owned().ok());
            tasks.spawn(one(app.clone(), message, permit));
        }
    }
}

async fn one(app: App, message: QueueDelivery, _permit: Option<OwnedSemaphorePermit>) {
    // The job ends before the queue delivers the message again.
    let time = VISIBILITY.saturating_sub(Duration::from_secs(10));
    let settled = settle_message(&app.queue, &message, Some(time), |job| jobs::run(&app, job)).await;
    if settled == MessageDisposition::Delete
        && let Err(error) = app.queue.delete(&message.receipt).await
    {
        tracing::warn!(?error, "a finished message could not be deleted: it is delivered again, which does no harm");
    }
}
