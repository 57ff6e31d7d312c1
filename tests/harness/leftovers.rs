//! The check at the end of a test that no work is left behind: no lease without a worker, no due row without a message,
//! no dead letter.
//!
//! It runs when a [`TestApp`](crate::TestApp) is dropped, where nothing can be awaited on the test's own runtime and
//! its workers stand still. It therefore judges only a queue on which nobody works, and says nothing in these cases:
//! the test has no workers or moves its messages or its clock itself, a superuser changed rows past the product, or a
//! worker was in the middle of a job.

use std::sync::Mutex;

use futures_util::FutureExt;
use shared::{
    app::App,
    kernel::clock::Clock,
    platform::{
        postgres::migrations,
        queue::{Queue, job::QueueName},
    },
};

use crate::{Options, database::Database};

/// The queues that the workers of a test app serve.
pub(crate) const SERVED: [QueueName; 4] = [QueueName::Dispatch, QueueName::Observe, QueueName::Train, QueueName::Poll];

/// Rows that some worker must serve now: their kind, their id, and whether a lease is held on them.
const DUE_ROWS: &str = "
    select 'session', session_id::text, false from due_sessions($1, 1000)
    union all select 'training job', job_id::text, false from due_training_jobs($1, 1000)
    union all select 'workspace of session', session_id::text, false from due_workspace_releases($1, 1000)
    union all select 'session', id::text, true from sessions where lease_until > $1
    union all select 'training job', id::text, true from training_jobs where lease_until > $1";

/// Whether and why a test may leave work behind.
pub(crate) struct LeftoverCheck {
    skipped: Mutex<Option<&'static str>>,
}

impl LeftoverCheck {
    pub(crate) fn of(options: &Options) -> Self {
        let skipped = match (&options.queue, &options.clock) {
            (Some(_), _) => Some("it delivers its messages itself"),
            (None, Clock::System) => None,
            (None, _) => Some("its clock is not that of the queue"),
        };
        Self { skipped: Mutex::new(skipped) }
    }

    pub(crate) fn skip(&self, reason: &'static str) {
        self.skipped.lock().expect("no panic while it is held").get_or_insert(reason);
    }

    /// Panics where work is left behind.
    pub(crate) fn assert_none(&self, app: &App, database: &Database) {
        if self.skipped.lock().expect("no panic while it is held").is_some() || is_busy(&app.queue) {
            return;
        }
        let now = app.clock.now();
        let url = database.owner_url.clone();
        // On a thread with a runtime of its own, because the test's runtime does not go on before this returns.
        let rows = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let client = migrations::connect_owner(&url).await.expect("Postgres answers");
                let rows = client.query(DUE_ROWS, &[&now]).await.expect("the due rows");
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect::<Vec<(String, String, bool)>>()
            })
        });
        let rows = rows.join().expect("the due rows can be read");
        // A worker on another thread may have received a message in the meantime.
        if is_busy(&app.queue) {
            return;
        }
        let Queue::Memory(memory) = &app.queue else { return };
        let messages: Vec<_> = SERVED.into_iter().flat_map(|queue_name| memory.drain(queue_name)).collect();
        let messages = format!("{messages:?}");
        let dead: usize = SERVED
            .iter()
            .filter_map(|queue_name| app.queue.depth(*queue_name).now_or_never()?.ok())
            .map(|one| one.dead)
            .sum();
        assert_eq!(dead, 0, "the test leaves dead letters behind");
        let left: Vec<_> = rows.iter().filter(|(_, id, leased)| *leased || !messages.contains(id.as_str())).collect();
        assert!(left.is_empty(), "the test leaves work behind (kind, id, leased): {left:?}; messages: {messages}");
    }
}

/// Whether somebody works on a message at the moment, or the queue cannot say so at once.
fn is_busy(queue: &Queue) -> bool {
    SERVED.into_iter().any(|queue_name| match queue.depth(queue_name).now_or_never() {
        Some(Ok(depth)) => depth.in_flight > 0,
        _ => true,
    })
}
