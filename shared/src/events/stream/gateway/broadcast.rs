//! The job `Broadcast`: sends new events to all connections of a tenant and checks the health of the connections.
//!
//! Each notification triggers one broadcast. Every few seconds a broadcast also checks connection health and
//! re-enqueues itself while connections exist, so missed notifications are picked up.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    events::stream::services::StreamServices,
    events::stream::{
        ConnectionBackend, Cursor, Topic,
        authorization::is_still_authorized,
        frame::{self, ResyncReason},
        service::handle_client_message,
        store::{self, EventPage, TopicQuery, TopicRead},
    },
    kernel::{clock::Time, error::Result, id::TenantId},
    platform::queue::job::JobOutcome,
};

use super::{
    ApiGatewayClient, SendOutcome,
    connection_state::StoredConnection,
    handlers,
    registry::{self, ConnectionLease},
};

/// How often the health of a tenant's connections is checked. A job that runs slightly early still counts.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
const CHECK_TICK: Duration = Duration::from_millis(4500);
/// How many connections are served concurrently.
const MAX_CONCURRENT: usize = 64;
/// How many events one read requests.
const PAGE: i64 = 200;
/// A client that is behind by more reads than this has to read the log by itself, which is faster.
const MAX_PAGES: usize = 3;
/// How long after its opening API Gateway may report that a connection does not exist yet.
const OPENING_GRACE: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// The state that one broadcast shares between connections.
struct Broadcast<'a> {
    services: &'a StreamServices,
    gateway: &'a ApiGatewayClient,
    tenant_id: TenantId,
    /// Whether this broadcast also checks the health of the connections.
    checks_health: bool,
    pages: Mutex<BTreeMap<Topic, Vec<Arc<EventPage>>>>,
    authorized: Mutex<HashMap<String, bool>>,
}

/// The result of serving one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum BroadcastDelivery {
    Complete,
    /// More remains to be sent.
    Partial,
    Gone,
}

/// The job `Broadcast`.
pub async fn broadcast_tenant(services: &StreamServices, tenant_id: TenantId) -> Result<JobOutcome> {
    let ConnectionBackend::ApiGateway(gateway) = &services.backend else { return Ok(JobOutcome::Complete) };
    // Events committed after this cause a new wake-up; earlier ones are read now.
    registry::clear_wakeup(&services.cache, tenant_id).await?;
    let ids = registry::list_connections(&services.cache, tenant_id).await?;
    if ids.is_empty() {
        return Ok(JobOutcome::Complete);
    }
    let checks_health = registry::try_start_tick(&services.cache, tenant_id, CHECK_TICK).await?;
    let broadcast = Broadcast {
        services,
        gateway,
        tenant_id,
        checks_health,
        pages: Mutex::default(),
        authorized: Mutex::default(),
    };
    let served = stream::iter(ids).map(|id| {
        let broadcast = &broadcast;
        Box::pin(async move {
            let served = broadcast.serve_connection(&id).await;
            served.inspect_err(|error| tracing::warn!(?error, connection = id, "a connection could not be served"))
        })
    });
    let served: Vec<_> = served.buffer_unordered(MAX_CONCURRENT).collect().await;
    if served.iter().any(|one| !matches!(one, Ok(BroadcastDelivery::Complete | BroadcastDelivery::Gone))) {
        if checks_health {
            // The next attempt has to check the connections too: otherwise the chain of jobs would end here until the
            // reconciler restarts it.
            registry::reset_tick(&services.cache, tenant_id).await?;
        }
        return Ok(JobOutcome::Snooze(Duration::from_secs(1)));
    }
    Ok(if checks_health { JobOutcome::Snooze(CHECK_INTERVAL) } else { JobOutcome::Complete })
}

impl Broadcast<'_> {
    async fn serve_connection(&self, id: &str) -> Result<BroadcastDelivery> {
        let Some(lease) = registry::acquire_lease(&self.services.cache, id).await? else {
            return Ok(BroadcastDelivery::Partial);
        };
        let Some(mut state) = lease.state.clone() else {
            registry::delete_connection(&self.services.cache, Some(self.tenant_id), id).await?;
            return Ok(BroadcastDelivery::Gone);
        };
        let now = self.services.clock.now();
        if self.checks_health && self.should_close(&state, now).await? {
            self.gateway.close_connection(id).await;
            registry::delete_connection(&self.services.cache, Some(self.tenant_id), id).await?;
            return Ok(BroadcastDelivery::Gone);
        }
        let (sent, served) = self.send_due(&lease, &mut state, now).await?;
        match sent {
            SendOutcome::Gone if !state.is_established && now - state.connection.opened_at < OPENING_GRACE => {
                registry::release_lease(&self.services.cache, &lease, &state, true).await?;
                Ok(BroadcastDelivery::Partial)
            }
            SendOutcome::Gone => {
                registry::delete_connection(&self.services.cache, Some(self.tenant_id), id).await?;
                Ok(BroadcastDelivery::Gone)
            }
            sent => {
                registry::release_lease(&self.services.cache, &lease, &state, sent != SendOutcome::Unknown).await?;
                Ok(if sent == SendOutcome::Delivered { served } else { BroadcastDelivery::Partial })
            }
        }
    }

    /// Whether a connection is to be closed, because of its credential, its silence or its age.
    async fn should_close(&self, state: &StoredConnection, now: Time) -> Result<bool> {
        let older = |since: Time, than: Duration| (now - since).to_std().is_ok_and(|age| age >= than);
        let timings = &self.services.stream_timings;
        if older(state.seen_at, timings.dead_after) || older(state.connection.opened_at, timings.longest) {
            return Ok(true);
        }
        let subscriber = &state.connection.subscriber;
        let key = subscriber.credential_key();
        let mut authorized = self.authorized.lock().await;
        if let Some(known) = authorized.get(&key) {
            return Ok(!known);
        }
        let known = is_still_authorized(self.services, subscriber).await?;
        authorized.insert(key, known);
        Ok(!known)
    }

    /// Sends everything that is due, in order. Returns the result of the last frame.
    async fn send_due(
        &self,
        lease: &ConnectionLease,
        state: &mut StoredConnection,
        now: Time,
    ) -> Result<(SendOutcome, BroadcastDelivery)> {
        let id = state.connection.id.clone();
        let mut frames = Vec::new();
        if lease.broken {
            for (topic, subscription) in std::mem::take(&mut state.connection.topics) {
                let last = self.services.cursors.write_cursor(subscription.cursor);
                frames.push(frame::resync_frame(topic, ResyncReason::Interrupted, Some(&last), now));
            }
        }
        let timings = &self.services.stream_timings;
        if !state.is_established {
            let opened = state.connection.opened_at;
            frames.insert(0, frame::connection_established(&id, self.tenant_id, timings, opened));
        } else if self.checks_health && (now - state.heartbeat_at).to_std().is_ok_and(|age| age >= timings.heartbeat) {
            state.heartbeat_at = now;
            let topics = state.connection.topics.iter().map(|(topic, one)| (*topic, one.cursor));
            frames.push(frame::heartbeat_frame(topics, &self.services.cursors, now));
        }
        for text in frames {
            match self.gateway.send_frame(&id, &text).await {
                SendOutcome::Delivered => state.is_established = true,
                other => return Ok((other, BroadcastDelivery::Partial)),
            }
        }
        if let Some(first) = state.initial_message.take() {
            let action = handle_client_message(self.services, &state.connection, &first).await;
            match handlers::apply_client_action(self.gateway, state, action).await {
                SendOutcome::Delivered => {}
                other => return Ok((other, BroadcastDelivery::Partial)),
            }
        }
        self.send_topics(lease, state).await
    }

    async fn send_topics(
        &self,
        lease: &ConnectionLease,
        state: &mut StoredConnection,
    ) -> Result<(SendOutcome, BroadcastDelivery)> {
        let mut served = BroadcastDelivery::Complete;
        for topic in state.connection.topics.keys().copied().collect::<Vec<_>>() {
            let (sent, one) = self.send_topic(lease, state, topic).await?;
            if sent != SendOutcome::Delivered {
                return Ok((sent, BroadcastDelivery::Partial));
            }
            if one != BroadcastDelivery::Complete {
                served = one;
            }
        }
        Ok((SendOutcome::Delivered, served))
    }

    async fn send_topic(
        &self,
        lease: &ConnectionLease,
        state: &mut StoredConnection,
        topic: Topic,
    ) -> Result<(SendOutcome, BroadcastDelivery)> {
        let id = state.connection.id.clone();
        for _ in 0..MAX_PAGES {
            let Some(subscription) = state.connection.topics.get_mut(&topic) else { break };
            let page = match self.page_after(topic, subscription.cursor).await? {
                Ok(page) => page,
                Err(reason) => {
                    return Ok((self.send_resync(state, topic, reason, None).await, BroadcastDelivery::Complete));
                }
            };
            for event in page.events.iter().filter(|event| event.cursor > subscription.cursor).collect::<Vec<_>>() {
                if subscription.filter.matches(event) {
                    // Do not write if the lease may expire before the frame arrives.
                    if Instant::now() + super::CALL_TIMEOUT >= lease.until {
                        return Ok((SendOutcome::Throttled, BroadcastDelivery::Partial));
                    }
                    let sent = self.gateway.send_frame(&id, &event.to_frame(topic, &self.services.cursors)).await;
                    if sent != SendOutcome::Delivered {
                        return Ok((sent, BroadcastDelivery::Partial));
                    }
                }
                subscription.cursor = event.cursor;
            }
            subscription.cursor = subscription.cursor.max(page.end);
            if !page.has_more {
                return Ok((
                    SendOutcome::Delivered,
                    if page.has_pending { BroadcastDelivery::Partial } else { BroadcastDelivery::Complete },
                ));
            }
        }
        let after = state.connection.topics.get(&topic).map(|subscription| subscription.cursor);
        Ok((self.send_resync(state, topic, ResyncReason::TooFarBehind, after).await, BroadcastDelivery::Complete))
    }

    async fn send_resync(
        &self,
        state: &mut StoredConnection,
        topic: Topic,
        reason: ResyncReason,
        after: Option<Cursor>,
    ) -> SendOutcome {
        let after = after.map(|cursor| self.services.cursors.write_cursor(cursor));
        let text = frame::resync_frame(topic, reason, after.as_deref(), self.services.clock.now());
        let sent = self.gateway.send_frame(&state.connection.id, &text).await;
        if sent == SendOutcome::Delivered {
            state.connection.topics.remove(&topic);
        }
        sent
    }

    /// A page with the events after a cursor. Reuses a page that was read for another connection where it fits.
    async fn page_after(&self, topic: Topic, after: Cursor) -> Result<Result<Arc<EventPage>, ResyncReason>> {
        let mut pages = self.pages.lock().await;
        let known = pages.entry(topic).or_default();
        if let Some(page) = known.iter().find(|page| page.after <= after && after < page.end) {
            return Ok(Ok(page.clone()));
        }
        let now = self.services.clock.now();
        let query = TopicQuery { topic, after, limit: PAGE, now };
        match store::read_topic(&self.services.db, self.tenant_id, query).await? {
            TopicRead::Page(page) => {
                let page = Arc::new(page);
                known.push(page.clone());
                Ok(Ok(page))
            }
            TopicRead::SessionDeleted => Ok(Err(ResyncReason::Gone)),
            TopicRead::UnknownCursor => Ok(Err(ResyncReason::CursorUnknown)),
        }
    }
}
