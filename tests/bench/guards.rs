//! What the guards cost: create and get with credentials, row-level security and the audit log, and create once more
//! with an idempotency key in each request, beside the same without any of them. Both stand on databases of their own
//! and are measured in turns.

use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering::Relaxed};

use anyhow::{Context, Result};
use axum::Extension;
use harness::TestApp;
use shared::{
    app::Settings,
    identity::auth::{Caller, CallerIdentity, Principal, Role},
};

use crate::{
    Effort,
    client::{Client, Place, Request, run},
    figure::{Figure, Target},
    handover::Watched,
    stand::{SESSIONS, Stand, body},
};

const AT_ONCE: usize = 16;

/// How many turns a run is made of.
const TURNS: u32 = 12;

/// How many sessions are read.
const READ: usize = 200;

pub(crate) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let guarded = Stand::new(Watched::new(0), Settings::default()).await?;
    let keyed = Place { once: true, ..guarded.place.clone() };
    let bare = bare().await?;
    let (mut creates, mut once, mut gets) = (Vec::new(), Vec::new(), Vec::new());
    let reads = [reads(&guarded).await?, reads(&bare).await?];
    for _ in 0..effort.runs {
        let create = || Some::<Request>(("POST", SESSIONS.to_owned(), body("{}", false)));
        creates.push(in_turns(effort, (&guarded.place, create), (&bare.place, create)).await?);
        once.push(in_turns(effort, (&keyed, create), (&bare.place, create)).await?);
        gets.push(in_turns(effort, (&guarded.place, reads[0].clone()), (&bare.place, reads[1].clone())).await?);
    }
    let told = "floor: without credentials, row-level security and audit log";
    Ok(vec![
        Figure::rate("create, all guards on, 16 clients", &creates).reaching(Target::OfFloor(0.7)).note(told),
        Figure::rate("create, each with an idempotency key", &once).reaching(Target::OfFloor(0.7)).note(told),
        Figure::rate("get, all guards on, 16 clients", &gets).reaching(Target::OfFloor(0.7)).note(told),
    ])
}

/// Requests each second of one place beside another. They have short turns, so that whatever else the machine does
/// slows both.
async fn in_turns<Next>(effort: &Effort, one: (&Place, Next), other: (&Place, Next)) -> Result<(f64, Option<f64>)>
where
    Next: Fn() -> Option<Request> + Clone + Send + 'static,
{
    let (mut rates, turn) = ([0.0; 2], effort.time / TURNS);
    for _ in 0..TURNS {
        for (rate, (place, next)) in rates.iter_mut().zip([&one, &other]) {
            *rate += run(place, AT_ONCE, turn, next.clone()).await?.per_second / f64::from(TURNS);
        }
    }
    Ok((rates[0], Some(rates[1])))
}

/// A stand where nobody asks who calls, every row is seen by all, and nothing goes on record.
async fn bare() -> Result<Stand> {
    let stand = Stand::new(Watched::new(0), Settings::default()).await?;
    let owner = stand.world.superuser().await;
    for table in owner.tables().await {
        owner.run(&format!("alter table {table} disable row level security")).await;
    }
    let quiet =
        "create or replace function audit_append(id uuid, at timestamptz, actor jsonb, action text, object_kind text,
            object_id text, before jsonb, after jsonb, request_id text, address text) returns bigint
        language sql as 'select 0::bigint'";
    owner.run(quiet).await;
    let Stand { world, .. } = stand;
    let api = world.api.clone().layer(Extension(anybody(&world)));
    Stand::serve(api, world).await
}

fn anybody(world: &TestApp) -> CallerIdentity {
    let tenant = &world.tenant;
    let (id, name) = (tenant.key_id(Role::Member), "anybody".to_owned());
    let principal = Principal::Key { id, name, user_id: None, expires_at: None };
    CallerIdentity::Caller(Caller {
        tenant_id: tenant.id,
        home_tenant_id: tenant.id,
        role: Role::Member,
        scopes: Arc::default(),
        principal,
        valid_until: None,
        request_id: Arc::from("bench"),
        address: None,
    })
}

/// Requests that read some sessions in turn.
async fn reads(stand: &Stand) -> Result<impl Fn() -> Option<Request> + Clone + Send + 'static + use<>> {
    let mut client = Client::connect(&stand.place).await?;
    let mut paths = Vec::with_capacity(READ);
    for _ in 0..READ {
        paths.push(format!("{SESSIONS}/{}", stand.pending(&mut client, "{}").await?));
    }
    paths.first().context("sessions were made")?;
    let (paths, next) = (Arc::new(paths), Arc::new(AtomicUsize::new(0)));
    Ok(move || {
        let at = next.fetch_add(1, Relaxed) % paths.len();
        Some(("GET", paths[at].clone(), String::new()))
    })
}
