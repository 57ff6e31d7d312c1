//! Connections that API Gateway holds: it calls a function with the messages of clients, and frames are sent through
//! its management API.
//!
//! One process at a time, which holds the lease of the connection, writes to it. A process that finds that its
//! predecessor stopped half-way cannot know which frames arrived, so it makes the client resume from its own cursor
//! (`resync`, interrupted).

mod broadcast;
mod connection_state;
mod handlers;
mod registry;
mod runner_connections;
mod wakeup;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_apigatewaymanagement::{Client, Config, error::DisplayErrorContext, primitives::Blob};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};

use crate::{kernel::id::TenantId, platform::context::Context, platform::queue::job::Job};

pub use self::{
    broadcast::broadcast_tenant,
    handlers::{InitialSubscription, on_connect, on_disconnect, on_message},
    runner_connections::{on_runner_connect, signal_runners},
    wakeup::enqueue_all_broadcasts,
};

/// The timeout of a call to API Gateway.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long Redis may take to answer whether a tenant has connections.
const REDIS_TIMEOUT: Duration = Duration::from_millis(250);
/// How long Redis is not asked after it failed to answer.
const REDIS_PAUSE: Duration = Duration::from_secs(5);

/// The address of API Gateway's management API.
#[derive(Clone, Debug)]
pub struct ApiGatewaySettings {
    /// The URL of the stage, such as `https://abc.execute-api.eu-central-1.amazonaws.com/live`.
    pub endpoint: String,
    pub region: String,
}

/// The management API of one stage. Clones share one client, which is created when it is first needed.
#[derive(Clone)]
pub struct ApiGatewayClient {
    settings: Arc<ApiGatewaySettings>,
    client: Arc<OnceCell<Client>>,
    redis_paused_until: Arc<Mutex<Option<Instant>>>,
}

/// The result of sending a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SendOutcome {
    Delivered,
    /// The connection does not exist, or no longer.
    Gone,
    /// API Gateway refused the frame for now.
    Throttled,
    /// The frame may have arrived or not.
    Unknown,
}

impl ApiGatewayClient {
    pub fn new(settings: ApiGatewaySettings) -> Self {
        Self { settings: Arc::new(settings), client: Arc::default(), redis_paused_until: Arc::default() }
    }

    async fn gateway_client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let timeouts = TimeoutConfig::builder().connect_timeout(CALL_TIMEOUT).operation_timeout(CALL_TIMEOUT);
                let config = Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(EnvironmentVariableCredentialsProvider::new())
                    .region(Region::new(self.settings.region.clone()))
                    .endpoint_url(&self.settings.endpoint)
                    // A retried frame could arrive twice.
                    .retry_config(RetryConfig::disabled())
                    .timeout_config(timeouts.build());
                Client::from_conf(config.build())
            })
            .await
    }

    /// Sends a frame to a connection.
    pub(super) async fn send_frame(&self, id: &str, text: &str) -> SendOutcome {
        let call = self.gateway_client().await.post_to_connection().connection_id(id).data(Blob::new(text.as_bytes()));
        let Err(error) = call.send().await else { return SendOutcome::Delivered };
        match error.as_service_error() {
            Some(known) if known.is_gone_exception() => SendOutcome::Gone,
            Some(known) if known.is_limit_exceeded_exception() => SendOutcome::Throttled,
            _ => {
                tracing::warn!(error = %DisplayErrorContext(&error), "a frame may not have been delivered");
                SendOutcome::Unknown
            }
        }
    }

    /// Closes a connection.
    pub(super) async fn close_connection(&self, id: &str) {
        if let Err(error) = self.gateway_client().await.delete_connection().connection_id(id).send().await {
            tracing::debug!(error = %DisplayErrorContext(&error), "a connection could not be closed; it may be gone");
        }
    }

    /// Enqueues the job that serves a tenant's connections, if there are any and the job is not enqueued yet.
    pub(super) async fn notify(&self, context: &Context, tenant_id: TenantId) {
        if self.is_redis_paused() {
            return;
        }
        match timeout(REDIS_TIMEOUT, registry::claim_wakeup(&context.cache, tenant_id)).await {
            Ok(Ok(true)) => context.enqueue(&[(Job::broadcast(tenant_id), Duration::ZERO)]).await,
            Ok(Ok(false)) => {}
            Ok(Err(_)) | Err(_) => self.pause_redis(),
        }
    }

    /// The URL at which clients open connections.
    pub fn connection_url(&self) -> String {
        self.settings.endpoint.replacen("http", "ws", 1)
    }

    fn pause_redis(&self) {
        *self.lock_redis_pause() = Some(Instant::now() + REDIS_PAUSE);
    }

    fn is_redis_paused(&self) -> bool {
        self.lock_redis_pause().is_some_and(|until| Instant::now() < until)
    }

    fn lock_redis_pause(&self) -> MutexGuard<'_, Option<Instant>> {
        self.redis_paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
