//! Connections that API Gateway holds, where it does not take what is sent.

use chrono::TimeDelta;
use harness::{Options, TestApp};
use shared::{
    events::stream::{
        ConnectionBackend,
        gateway::{ApiGatewayClient, ApiGatewaySettings, InitialSubscription, broadcast_tenant, on_connect},
        service::StreamCredentials,
    },
    identity::auth::{CallOrigin, Credentials, Role},
    kernel::{clock::Clock, id::RequestId},
    platform::queue::job::JobOutcome,
};

use super::options;

#[tokio::test]
async fn after_an_incomplete_broadcast_the_next_one_checks_connections_too() {
    let clock = Clock::fixed(Clock::System.now());
    // Nobody listens there: of nothing that is sent it is known whether it arrived.
    let nowhere = ApiGatewaySettings { endpoint: "http://127.0.0.1:9".to_owned(), region: "eu-central-1".to_owned() };
    let push = ConnectionBackend::ApiGateway(ApiGatewayClient::new(nowhere));
    let world = TestApp::idle(Options { clock: clock.clone(), push, ..options() }).await;
    let (app, tenant) = (&world.app, &world.tenant);
    let bearer = format!("Bearer {}", tenant.key(Role::Viewer));
    let credentials =
        Credentials { authorization: Some(&bearer), agent_token: None, tenant: Some(tenant.slug.as_str()) };
    let (id, entry) = (RequestId::new().to_string(), StreamCredentials { ticket: None, credentials });
    on_connect(app, &id, entry, CallOrigin::default(), InitialSubscription::default()).await.unwrap();
    let first = broadcast_tenant(app, tenant.id).await;
    assert!(matches!(first, Ok(JobOutcome::Snooze(_))), "{first:?}");
    // Its client is silent for so long that it counts as gone: only a round that minds the connections looks at that.
    clock.advance(TimeDelta::from_std(app.settings.live.dead_after).unwrap());
    broadcast_tenant(app, tenant.id).await.unwrap();
    let last = broadcast_tenant(app, tenant.id).await;
    assert!(matches!(last, Ok(JobOutcome::Complete)), "no connection is left: {last:?}");
}
