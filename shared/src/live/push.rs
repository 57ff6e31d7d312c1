//! Where the connections are: at API Gateway, or in this process.

use crate::app::App;

use super::{Hub, bell::News, gateway::Gateway};

/// Who holds the connections.
#[derive(Clone)]
pub enum Push {
    /// API Gateway; what we know of them lies in Redis, and the job `Broadcast` serves them.
    ApiGateway(Gateway),
    /// This process.
    Local(Hub),
}

impl Push {
    /// The connections of this process, where it holds any.
    pub fn hub(&self) -> Option<&Hub> {
        match self {
            Self::ApiGateway(_) => None,
            Self::Local(hub) => Some(hub),
        }
    }
}

/// Says to those who serve connections that a tenant has news. One that is not heard costs some seconds.
pub(crate) async fn ring(app: &App, news: News) {
    match &app.push {
        Push::Local(hub) => hub.ring(news),
        Push::ApiGateway(gateway) => gateway.ring(app, news.tenant_id).await,
    }
}
