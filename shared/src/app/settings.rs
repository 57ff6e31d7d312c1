//! The settings that are not the address of a service.

use std::{sync::Arc, time::Duration};

use crate::{
    agents::eap::server,
    events::stream::{StreamLimits, StreamTimings},
    identity::{rate_limits::RateLimits, tenants::quotas::StorageQuotas},
    kernel::backoff::RetryPolicy,
    platform::http_client::AllowedDestinations,
    sessions::{
        UsageBounds,
        policy::{DEFAULT_MAX_EVENTS, DEFAULT_OFFER_TIMEOUT, DEFAULT_RETRY, PollPolicy},
    },
    training::jobs,
};

/// Settings with their defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    pub poll: PollPolicy,
    /// The pauses between the automatic retries of a run.
    pub retry: RetryPolicy,
    /// How long a step may be silent before another worker may take it over. It is renewed at a third.
    pub step_lease: Duration,
    /// How long a pulling agent has to claim a session that is offered to it.
    pub offer_timeout: Duration,
    /// How long a session may wait in the queue.
    pub queue_limit: Duration,
    /// How long an agent keeps the workspace of a session that has ended.
    pub workspace_retention: Duration,
    /// The most that a run books of what an agent of a tenant reports about its own usage.
    pub usage_bounds: UsageBounds,
    /// How many events the log of a session holds before entries of its agent are left out.
    pub max_events: i64,
    /// Whether event streams stay open. They cannot behind API Gateway.
    pub streams: bool,
    /// The rate limits of the API.
    pub rate: RateLimits,
    /// The limits on what a tenant stores, unless it has limits of its own.
    pub quotas: StorageQuotas,
    /// The timeout of a request until its response begins.
    pub request_time: Duration,
    /// The timeout for receiving the body of a request.
    pub body_time: Duration,
    /// Other origins whose pages may call the API (CORS).
    pub cors_origins: Arc<[String]>,
    /// Addresses besides the public internet that URLs of users may reach.
    pub outbound: AllowedDestinations,
    /// How often agents send a heartbeat.
    pub heartbeat_interval: Duration,
    /// The timeout of a push to an agent's endpoint.
    pub push_timeout: Duration,
    /// Where others reach us, such as `https://ioc.example.com`: what we give to agents that are to call back.
    pub public_url: Option<Arc<str>>,
    /// The timings of live connections.
    pub live: StreamTimings,
    /// How many streams may be open at once.
    pub stream_limits: StreamLimits,
    pub tuning: jobs::TrainingSettings,
    /// How long the health of a dependency must be stable before its next change is published.
    pub health_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll: PollPolicy::default(),
            retry: DEFAULT_RETRY,
            step_lease: Duration::from_secs(30),
            offer_timeout: DEFAULT_OFFER_TIMEOUT,
            queue_limit: Duration::from_hours(24),
            workspace_retention: Duration::from_hours(24),
            usage_bounds: UsageBounds::default(),
            max_events: DEFAULT_MAX_EVENTS,
            streams: true,
            rate: RateLimits::default(),
            quotas: StorageQuotas::default(),
            request_time: Duration::from_secs(29),
            body_time: Duration::from_secs(15),
            cors_origins: Arc::default(),
            outbound: AllowedDestinations::default(),
            heartbeat_interval: server::HEARTBEAT_INTERVAL,
            push_timeout: Duration::from_secs(10),
            public_url: None,
            live: StreamTimings::default(),
            stream_limits: StreamLimits::default(),
            tuning: jobs::TrainingSettings::default(),
            health_pause: Duration::from_secs(30),
        }
    }
}
