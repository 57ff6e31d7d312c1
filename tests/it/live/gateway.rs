//! Connections that API Gateway holds, where it does not take what is sent.

use chrono::TimeDelta;
use harness::{Options, World};
use shared::{
    auth::{
        Role,
        service::{Call, Credentials},
    },
    clock::Clock,
    id::RequestId,
    job::Verdict,
    live::{
        Push,
        gateway::{Gateway, Settings, broadcast, connected},
        service::Entry,
    },
};

use super::options;

#[tokio::test]
async fn after_a_round_that_was_not_whole_the_next_minds_the_connections_too() {
    let clock = Clock::fixed(Clock::System.now());
    // Nobody listens there: of nothing that is sent it is known whether it arrived.
    let nowhere = Settings { endpoint: "http://127.0.0.1:9".to_owned(), region: "eu-central-1".to_owned() };
    let push = Push::ApiGateway(Gateway::new(nowhere));
    let world = World::idle(Options { clock: clock.clone(), push, ..options() }).await;
    let (app, tenant) = (&world.app, &world.tenant);
    let bearer = format!("Bearer {}", tenant.key(Role::Viewer));
    let credentials =
        Credentials { authorization: Some(&bearer), agent_token: None, tenant: Some(tenant.slug.as_str()) };
    let (id, entry) = (RequestId::new().to_string(), Entry { ticket: None, credentials });
    connected(app, &id, entry, Call::default(), (None, None)).await.unwrap();
    let first = broadcast(app, tenant.id).await;
    assert!(matches!(first, Ok(Verdict::Later(_))), "{first:?}");
    // Its client is silent for so long that it counts as gone: only a round that minds the connections looks at that.
    clock.advance(TimeDelta::from_std(app.settings.live.dead_after).unwrap());
    broadcast(app, tenant.id).await.unwrap();
    let last = broadcast(app, tenant.id).await;
    assert!(matches!(last, Ok(Verdict::Done)), "no connection is left: {last:?}");
}
