//! The backend that holds the connections: API Gateway or this process.

use futures_util::future::BoxFuture;

use crate::platform::{
    context::{Context, Notifier},
    notification::TenantNotification,
};

use super::{ConnectionHub, gateway::ApiGatewayClient};

/// The holder of the connections.
#[derive(Clone)]
pub enum ConnectionBackend {
    /// API Gateway holds them, Redis their state, and the job `Broadcast` serves them.
    ApiGateway(ApiGatewayClient),
    /// This process holds and serves them.
    InProcess(ConnectionHub),
}

impl ConnectionBackend {
    /// The hub of this process, if it holds the connections.
    pub fn hub(&self) -> Option<&ConnectionHub> {
        match self {
            Self::ApiGateway(_) => None,
            Self::InProcess(hub) => Some(hub),
        }
    }
}

/// Notifies whoever serves connections.
pub struct StreamNotifier {
    pub backend: ConnectionBackend,
}

impl Notifier for StreamNotifier {
    fn notify<'a>(&'a self, context: &'a Context, notification: TenantNotification) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &self.backend {
                ConnectionBackend::InProcess(hub) => hub.notify(notification),
                ConnectionBackend::ApiGateway(gateway) => gateway.notify(context, notification.tenant_id).await,
            }
        })
    }
}
