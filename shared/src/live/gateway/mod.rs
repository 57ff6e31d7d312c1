//! Connections that API Gateway holds: it calls a function with what clients say, and takes what is to be sent by its
//! management API.
//!
//! A connection is written to by one process at a time, which holds its lease. Who finds that the one before broke off half-way
//! does not know what arrived, and has the client go on from its own cursor (`resync`, interrupted).

mod events;
mod kept;
mod registry;
mod round;

use std::{
    sync::{Arc, Mutex, PoisonError},
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

use crate::{app::App, id::TenantId, job::Job};

pub use self::{
    events::{connected, disconnected, heard},
    registry::ring_all,
    round::broadcast,
};

/// How long a call to API Gateway may take.
const CALL: Duration = Duration::from_secs(2);
/// How long Redis may take to say whether anybody watches.
const ASKING: Duration = Duration::from_millis(250);
/// How long Redis is left alone after it did not say.
const QUIET: Duration = Duration::from_secs(5);

/// Where API Gateway takes what is to be sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The stage's address, such as `https://abc.execute-api.eu-central-1.amazonaws.com/live`.
    pub endpoint: String,
    pub region: String,
}

/// The management API of one stage. Clones share one client, which is made when it is first needed.
#[derive(Clone)]
pub struct Gateway {
    settings: Arc<Settings>,
    client: Arc<OnceCell<Client>>,
    quiet_until: Arc<Mutex<Option<Instant>>>,
}

/// What became of something that was to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    Yes,
    /// There is no such connection, or not any more.
    Gone,
    /// API Gateway did not take it now.
    NotNow,
    /// It may have arrived or not.
    Unknown,
}

impl Gateway {
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), client: Arc::default(), quiet_until: Arc::default() }
    }

    async fn client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let timeouts = TimeoutConfig::builder().connect_timeout(CALL).operation_timeout(CALL);
                let config = Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(EnvironmentVariableCredentialsProvider::new())
                    .region(Region::new(self.settings.region.clone()))
                    .endpoint_url(&self.settings.endpoint)
                    // What is sent again would arrive twice.
                    .retry_config(RetryConfig::disabled())
                    .timeout_config(timeouts.build());
                Client::from_conf(config.build())
            })
            .await
    }

    /// Sends a frame to a connection.
    pub(super) async fn send(&self, id: &str, text: &str) -> Sent {
        let call = self.client().await.post_to_connection().connection_id(id).data(Blob::new(text.as_bytes()));
        let Err(error) = call.send().await else { return Sent::Yes };
        match error.as_service_error() {
            Some(known) if known.is_gone_exception() => Sent::Gone,
            Some(known) if known.is_limit_exceeded_exception() => Sent::NotNow,
            _ => {
                tracing::warn!(error = %DisplayErrorContext(&error), "API Gateway did not say what became of a frame");
                Sent::Unknown
            }
        }
    }

    /// Ends a connection.
    pub(super) async fn close(&self, id: &str) {
        if let Err(error) = self.client().await.delete_connection().connection_id(id).send().await {
            tracing::debug!(error = %DisplayErrorContext(&error), "a connection could not be ended; it may be gone");
        }
    }

    /// Rings for the job that serves a tenant's connections, if there are any and nobody has.
    pub(super) async fn ring(&self, app: &App, tenant_id: TenantId) {
        let quiet = |until: Option<Instant>| {
            let mut kept = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
            if until.is_some() {
                *kept = until;
            }
            kept.is_some_and(|until| Instant::now() < until)
        };
        if quiet(None) {
            return;
        }
        match timeout(ASKING, registry::is_to_be_rung(&app.cache, tenant_id)).await {
            Ok(Ok(true)) => app.ring(&[(Job::broadcast(tenant_id), Duration::ZERO)]).await,
            Ok(Ok(false)) => {}
            Ok(Err(_)) | Err(_) => drop(quiet(Some(Instant::now() + QUIET))),
        }
    }
}
