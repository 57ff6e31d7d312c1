//! Monitors the connections of this process: sends heartbeats, and closes connections that are dead, too old or no
//! longer authorized. A stalled reader loses its subscriptions.

use std::collections::HashMap;

use tokio::time::{Instant, interval};

use crate::{
    events::stream::services::StreamServices,
    events::stream::{
        StreamTimings, Subscriber,
        authorization::is_still_authorized,
        frame::{self, ResyncReason},
    },
};

use super::{
    ConnectionHub,
    outbox::CloseReason,
    tenant_connections::{ConnectionState, DeliveryForm, TenantConnections},
};

pub(super) async fn run_monitor(hub: &ConnectionHub, services: &StreamServices) {
    let timings = services.stream_timings;
    tokio::join!(check_all(hub, services, &timings), reauthorize_all(hub, services, &timings));
}

async fn check_all(hub: &ConnectionHub, services: &StreamServices, timings: &StreamTimings) {
    let shortest = timings.heartbeat.min(timings.dead_after).min(timings.resync_after).min(timings.longest);
    let mut ticks =
        interval((shortest / 10).clamp(std::time::Duration::from_millis(10), std::time::Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        for tenant in hub.all_tenants() {
            tenant.for_each(|state| check_connection(services, timings, state));
            tenant.send_heartbeats(timings.heartbeat, &services.cursors, services.clock.now());
        }
    }
}

fn check_connection(services: &StreamServices, timings: &StreamTimings, state: &mut ConnectionState) {
    let now = services.clock.now();
    // A response that is no longer read is dropped, and leaves by itself.
    if state.form == DeliveryForm::Frames && state.seen_at.elapsed() >= timings.dead_after {
        state.outbox.close(CloseReason::Unresponsive);
    } else if (now - state.connection.opened_at).to_std().is_ok_and(|age| age >= timings.longest) {
        state.outbox.close(CloseReason::Reconnect);
    } else if state.outbox.stalled_for() >= timings.resync_after {
        for (topic, last_taken) in state.outbox.drop_events() {
            let last_taken = last_taken.map(|cursor| services.cursors.write_cursor(cursor));
            let notice = frame::resync_frame(topic, ResyncReason::TooSlow, last_taken.as_deref(), now);
            state.end_subscription(topic, notice, CloseReason::Reconnect);
        }
    }
}

/// Closes the connections of subscribers that are no longer authorized. Each credential is looked up once per round,
/// however many connections use it.
async fn reauthorize_all(hub: &ConnectionHub, services: &StreamServices, timings: &StreamTimings) {
    loop {
        let begun = Instant::now();
        for tenant in hub.all_tenants() {
            if let Err(error) = reauthorize_tenant(services, &tenant).await {
                tracing::warn!(?error, "subscribers could not be re-authorized; the next round tries again");
            }
        }
        tokio::time::sleep_until(begun + timings.recheck).await;
    }
}

async fn reauthorize_tenant(services: &StreamServices, tenant: &TenantConnections) -> crate::kernel::error::Result<()> {
    let mut known: HashMap<String, (Subscriber, bool)> = HashMap::new();
    tenant.for_each(|state| {
        let subscriber = &state.connection.subscriber;
        drop(known.insert(subscriber.credential_key(), (subscriber.clone(), true)));
    });
    for (subscriber, authorized) in known.values_mut() {
        *authorized = is_still_authorized(services, subscriber).await?;
    }
    tenant.for_each(|state| {
        if known.get(&state.connection.subscriber.credential_key()).is_some_and(|(_, authorized)| !authorized) {
            state.outbox.close(CloseReason::Revoked);
        }
    });
    Ok(())
}
