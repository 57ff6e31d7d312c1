//! Starts by many clients at once: of one tenant and of many, with free slots and without, with sessions that wait
//! already.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use harness::Tenant;
use shared::{app::Settings, identity::auth::Role};
use tokio::task::JoinSet;

use crate::{
    Effort,
    client::{Client, Place, Run, millis, rate, run},
    figure::{Figure, Samples, Target},
    handover::Watched,
    sql::{connect, copy_session},
    stand::{SESSIONS, Stand},
};

const AT_ONCE: usize = 16;
const TENANTS: usize = 50;
/// How many sessions are started in a second at most.
const MOST_PER_SECOND: usize = 2500;
/// An agent that accepts everything and does nothing.
const IDLE_AGENT: &str = r#"{"agent": "manual"}"#;

pub(crate) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let (mut free, mut each) = (Vec::new(), Samples::default());
    for _ in 0..effort.runs {
        let run = of_one_tenant(effort, Situation { has_slots: true, waiting: 0 }).await?;
        free.push((run.per_second, None));
        each.extend(run.each);
    }
    let many = of_many_tenants(effort).await?;
    let full = of_one_tenant(effort, Situation { has_slots: false, waiting: 0 }).await?;
    let waiting = if effort.runs == 1 { 1000 } else { 20_000 };
    let crowded = of_one_tenant(effort, Situation { has_slots: false, waiting }).await?;
    let once = |run: &Run| [(run.per_second, None)];
    Ok(vec![
        Figure::rate("starts, 16 clients", &free).note("the agent takes each session, beside the starts"),
        Figure::of("starts, each of 16", "ms", &each).reaching(Target::BothBelow(16.0, 40.0)),
        Figure::rate("starts of 50 tenants, 16 clients", &once(&many)),
        Figure::rate("starts, no slot free", &once(&full)).note("16 clients; the sessions wait"),
        Figure::rate("starts, no slot free, 20 000 waiting", &once(&crowded)).note(format!("{waiting} before")),
        Figure::of("starts, each, 20 000 waiting", "ms", &crowded.each).reaching(Target::BothBelow(16.0, 40.0)),
    ])
}

#[derive(Clone, Copy)]
struct Situation {
    has_slots: bool,
    /// Sessions in the queue before.
    waiting: usize,
}

/// How many sessions are there to be started.
fn supply(effort: &Effort) -> usize {
    MOST_PER_SECOND * usize::try_from(effort.time.as_secs()).unwrap_or(1)
}

async fn of_one_tenant(effort: &Effort, situation: Situation) -> Result<Run> {
    let stand = Stand::new(Watched::new(0), Settings::default()).await?;
    let postgres = connect(&stand.world.database.url, &stand.world.tenant.id.to_string()).await?;
    if !situation.has_slots {
        stand.world.superuser().await.run("update tenants set max_concurrent_sessions = 0").await;
    }
    let mut client = Client::connect(&stand.place).await?;
    let first = stand.pending(&mut client, IDLE_AGENT).await?;
    let ids = copy_session(&postgres, &first, supply(effort)).await?;
    if situation.waiting > 0 {
        client.send("POST", &format!("{SESSIONS}/{first}/start"), "").await?;
        copy_session(&postgres, &first, situation.waiting).await?;
    }
    let paths: Vec<_> = ids.iter().map(|id| format!("{SESSIONS}/{id}/start")).collect();
    let paths = Arc::new(Mutex::new(paths));
    let request = move || {
        let path = paths.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(("POST", path, String::new()))
    };
    run(&stand.place, AT_ONCE, effort.time, request).await
}

/// Each client starts sessions of its share of the tenants in turn.
async fn of_many_tenants(effort: &Effort) -> Result<Run> {
    let stand = Stand::new(Watched::new(0), Settings::default()).await?;
    let mut shares: Vec<Vec<(Client, Vec<String>)>> = (0..AT_ONCE).map(|_| Vec::new()).collect();
    for at in 0..TENANTS {
        let tenant = stand.world.another_tenant().await;
        shares[at % AT_ONCE].push(pending_sessions(&stand, &tenant, supply(effort) / TENANTS).await?);
    }
    let (mut tasks, began, time) = (JoinSet::new(), Instant::now(), effort.time);
    for share in shares {
        tasks.spawn(start_in_turn(share, began, time));
    }
    let mut each = Samples::default();
    while let Some(done) = tasks.join_next().await {
        each.extend(done??);
    }
    let per_second = rate(each.len(), began.elapsed());
    Ok(Run { each, per_second })
}

async fn pending_sessions(stand: &Stand, tenant: &Tenant, count: usize) -> Result<(Client, Vec<String>)> {
    let place = Place { key: tenant.key(Role::Member).to_owned(), tenant: tenant.slug.clone(), ..stand.place.clone() };
    let mut client = Client::connect(&place).await?;
    let first = stand.pending(&mut client, IDLE_AGENT).await?;
    let postgres = connect(&stand.world.database.url, &tenant.id.to_string()).await?;
    Ok((client, copy_session(&postgres, &first, count).await?))
}

async fn start_in_turn(mut share: Vec<(Client, Vec<String>)>, began: Instant, time: Duration) -> Result<Samples> {
    let mut each = Samples::default();
    loop {
        let before = each.len();
        for (client, ids) in &mut share {
            let Some(id) = ids.pop().filter(|_| began.elapsed() < time) else { continue };
            let sent = Instant::now();
            client.send("POST", &format!("{SESSIONS}/{id}/start"), "").await?;
            each.push(millis(sent.elapsed()));
        }
        if each.len() == before {
            return Ok(each);
        }
    }
}
