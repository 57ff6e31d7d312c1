//! The background jobs in this process: what the queues' functions and the schedule are on Lambda.

use std::{sync::Arc, time::Duration};

use functions::{
    host::{Settled, settle},
    work,
};
use shared::{
    app::App,
    job::{Job, Lane},
    queue::{Delivery, VISIBILITY},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many jobs of a lane are done at once. They mostly wait for others.
const AT_ONCE: usize = 32;

/// The most that a queue hands out at a time.
const BATCH: usize = 10;

/// How long one waits for a message, as SQS does at most.
const WAIT: Duration = Duration::from_secs(20);

/// How long jobs under way may take to end when we do. What is broken off is taken up again by the next start.
const GRACE: Duration = Duration::from_secs(5);

/// Does jobs until the end.
pub async fn run(app: &App, end: &CancellationToken) {
    let tasks = TaskTracker::new();
    for lane in Lane::ALL {
        tasks.spawn(serve(app.clone(), lane, tasks.clone(), end.clone()));
    }
    end.run_until_cancelled(sweep(app)).await;
    tasks.close();
    _ = timeout(GRACE, tasks.wait()).await;
}

/// Rings each minute, and at once for what an earlier process left behind.
async fn sweep(app: &App) {
    let mut minutes = interval(Duration::from_mins(1));
    loop {
        minutes.tick().await;
        app.ring(&[(Job::sweep(), Duration::ZERO)]).await;
    }
}

async fn serve(app: App, lane: Lane, tasks: TaskTracker, end: CancellationToken) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Ok(permit)) = end.run_until_cancelled(room.clone().acquire_owned()).await {
        // Only this loop takes permits: those that are free now are free until it takes them.
        let most = (1 + room.available_permits()).min(BATCH);
        let Some(received) = end.run_until_cancelled(app.queue.receive(lane, most, WAIT)).await else { return };
        let messages = match received {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(?error, lane = lane.name(), "the queue does not answer");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let mut permit = Some(permit);
        for message in messages {
            let permit = permit.take().or_else(|| room.clone().try_acquire_owned().ok());
            tasks.spawn(one(app.clone(), message, permit));
        }
    }
}

async fn one(app: App, message: Delivery, _room: Option<OwnedSemaphorePermit>) {
    // Done before the queue shows the message to another.
    let time = VISIBILITY.saturating_sub(Duration::from_secs(10));
    let settled = settle(&app.queue, &message, Some(time), |job| work::run(&app, job)).await;
    if settled == Settled::Finished
        && let Err(error) = app.queue.delete(&message.receipt).await
    {
        tracing::warn!(?error, "a message that is dealt with stays in the queue: it comes again, which does no harm");
    }
}
