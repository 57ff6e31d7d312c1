//! The functions as Lambda runs them: their own binaries under the runtime's protocol, called with the events that AWS
//! sends, on the real Postgres and Redis and an SQS that speaks its protocol.

mod batch;
mod deployed;
mod events;

use std::time::Duration;

use harness::{Options, TestApp, cargo_lambda::Watch, ministack::ministack};
use shared::{
    identity::auth::Role,
    kernel::id::SessionId,
    platform::queue::{Queue, Sqs, SqsSettings, job::QueueName},
};

/// One ioc whose functions run as binaries of their own, under `cargo lambda watch`.
struct Cloud {
    /// The same database and Redis, seen from within the test.
    world: TestApp,
    queue: Queue,
    watch: Watch,
}

impl Cloud {
    async fn new() -> Self {
        let server = ministack();
        let name = SessionId::new().to_string();
        Self::on(server.queues(&name, Duration::from_secs(30), 5).await, &name).await
    }

    /// With these queues, which need not be there before a message is sent, and a WebSocket API of this id.
    async fn on(settings: SqsSettings, live: &str) -> Self {
        let server = ministack();
        let queue = Queue::Sqs(Sqs::with_client(settings.clone(), server.sqs()));
        let world = TestApp::idle(Options { queue: Some(queue.clone()), ..Options::default() }).await;
        let mut environment = environment(&world, &server.endpoint);
        environment.extend([
            ("OBJECT_STORE_URL", format!("s3://{}/artifacts", server.bucket().await)),
            ("LIVE_ENDPOINT", live_endpoint(&server.endpoint, live)),
            ("DISPATCH_QUEUE_URL", settings.dispatch_url),
            ("DISPATCH_DEAD_QUEUE_URL", settings.dispatch_dead_url),
            ("OBSERVE_QUEUE_URL", settings.observe_url),
            ("OBSERVE_DEAD_QUEUE_URL", settings.observe_dead_url),
            ("BROADCAST_QUEUE_URL", settings.broadcast_url),
            ("BROADCAST_DEAD_QUEUE_URL", settings.broadcast_dead_url),
            ("POLL_QUEUE_URL", settings.poll_url),
            ("POLL_DEAD_QUEUE_URL", settings.poll_dead_url),
            ("TRAIN_QUEUE_URL", settings.train_url),
            ("TRAIN_DEAD_QUEUE_URL", settings.train_dead_url),
        ]);
        Self { watch: Watch::start(&environment), world, queue }
    }

    /// An event of tests/events, with its placeholders filled in.
    fn fill(&self, event: &str, session: &str) -> String {
        event
            .replace("$IOC_KEY", self.world.tenant.key(Role::Lead))
            .replace("$IOC_TENANT", &self.world.tenant.id.to_string())
            .replace("$SESSION", session)
    }

    async fn waiting(&self, queue_name: QueueName) -> usize {
        let depth = self.queue.depth(queue_name).await.unwrap();
        depth.ready + depth.delayed
    }
}

/// Where a WebSocket API answers.
fn live_endpoint(server: &str, id: &str) -> String {
    format!("{server}/_aws/execute-api/{id}/live")
}

fn environment(world: &TestApp, endpoint: &str) -> Vec<(&'static str, String)> {
    let plain = [
        ("API_KEY_PEPPER", harness::PEPPER),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", harness::ministack::REGION),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("DATABASE_URL", &world.database.url),
        ("DEFAULT_AGENT", "scripted"),
        ("IOC_ENVIRONMENT", "test"),
        ("MIGRATION_URL", &world.database.owner_url),
        ("SCRIPTED_AGENT", "true"),
    ];
    let mut environment: Vec<_> = plain.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    environment.push(("REDIS_URL", harness::redis_url()));
    environment
}
