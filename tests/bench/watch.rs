//! The live stream: how long an event is on its way to everybody who watches, and what each more of them costs.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use harness::{
    Options, TestApp,
    websocket::{Served, Socket},
};
use serde_json::json;
use shared::identity::auth::Role;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    Effort,
    client::millis,
    figure::{Figure, Samples, Target},
};

pub(crate) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let mut options = Options::default();
    // All subscribers have one key.
    options.settings.stream_limits.per_credential = 2000;
    let world = TestApp::idle(options).await;
    let served = Served::of(&world).await;
    let (one, _) = watched_by(&world, &served, 1, effort.starts / 2).await?;
    let (hundred, last_of_hundred) = watched_by(&world, &served, 100, effort.starts / 2).await?;
    let (thousand, last_of_thousand) = watched_by(&world, &served, 1000, effort.starts / 2).await?;
    let from = "from the PATCH that writes it being called to the frame being read, all in this process";
    Ok(vec![
        Figure::of("event to 1 subscriber", "ms", &one).note(from),
        Figure::of("event to 100 subscribers", "ms", &hundred),
        Figure::of("event to the last of 100", "ms", &last_of_hundred),
        Figure::of("event to 1 000 subscribers", "ms", &thousand).reaching(Target::BothBelow(100.0, 250.0)),
        Figure::of("event to the last of 1 000", "ms", &last_of_thousand)
            .note("what one more costs: beside that of 100"),
    ])
}

/// The times to each of so many subscribers, and to the last of them.
async fn watched_by(world: &TestApp, served: &Served, count: usize, events: usize) -> Result<(Samples, Samples)> {
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let (seen, mut arrivals) = mpsc::unbounded_channel();
    let mut watching = JoinSet::new();
    for _ in 0..count {
        let key = world.tenant.key(Role::Viewer);
        let opened = served.connect("/ws/sessions", Some(key)).await;
        let mut socket = opened.ok().context("a subscriber is not let in")?;
        socket.until("subscription.confirmed").await;
        let seen = seen.clone();
        watching.spawn(async move { while read(&mut socket).await && seen.send(Instant::now()).is_ok() {} });
    }
    let (mut all, mut last) = (Samples::default(), Samples::default());
    for event in 0..events {
        let began = Instant::now();
        let patched = caller.patch(&format!("/sessions/{id}"), json!({"title": format!("Title {event}")})).await;
        ensure!(patched.status.as_u16() == 200, "{patched:?}");
        let mut latest = began;
        for _ in 0..count {
            let arrived = arrivals.recv().await.context("a subscriber is gone")?;
            all.push(millis(arrived - began));
            latest = latest.max(arrived);
        }
        last.push(millis(latest - began));
    }
    Ok((all, last))
}

/// Waits for the next event of the kind that is written; false when the connection is over.
async fn read(socket: &mut Socket) -> bool {
    while let Some(Ok(message)) = socket.stream.next().await {
        if message.to_text().is_ok_and(|text| text.starts_with("{\"type\":\"session.updated\"")) {
            return true;
        }
    }
    false
}
