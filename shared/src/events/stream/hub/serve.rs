//! Serves the connections of a hub: delivers events, monitors connections and handles the messages of clients.

use tokio::task::JoinSet;

use crate::events::stream::{
    service::{ClientAction, handle_client_message},
    services::StreamServices,
};

use super::{ConnectionHandle, ConnectionHub, delivery_loop, monitor, redis_fanout};

/// Serves the connections of this process. Never returns.
pub async fn serve_connections(hub: &ConnectionHub, services: &StreamServices) {
    hub.0.is_served.store(true, std::sync::atomic::Ordering::Relaxed);
    let delivery_loops = async {
        let mut running = JoinSet::new();
        loop {
            hub.0.connection_opened.notified().await;
            while running.try_join_next().is_some() {}
            for tenant in hub.lock_tenants().values().filter(|tenant| tenant.try_start_serving()) {
                let (hub, services, tenant) = (hub.clone(), services.clone(), tenant.clone());
                running.spawn(async move { delivery_loop::run_delivery_loop(&hub, &services, &tenant).await });
            }
        }
    };
    tokio::join!(
        delivery_loops,
        monitor::run_monitor(hub, services),
        redis_fanout::publish_all(hub, services),
        redis_fanout::receive_all(hub, services)
    );
}

/// Handles a message of the client. The answer goes into the outbox.
pub async fn handle_message(handle: &ConnectionHandle, services: &StreamServices, text: &str) {
    handle.record_activity();
    let Some(connection) = handle.tenant.connection(&handle.id) else { return };
    match handle_client_message(services, &connection, text).await {
        ClientAction::Subscribe { topic, subscription, frame } => {
            handle.tenant.subscribe(&handle.id, topic, subscription, frame);
        }
        ClientAction::Unsubscribe { topic, frame } | ClientAction::Resync { topic, frame } => {
            handle.tenant.unsubscribe(&handle.id, topic, frame);
        }
        ClientAction::Pong => {}
        ClientAction::Reject(frame) => handle.outbox.push_control(frame),
    }
}
