//! What the guards cost: create and get with credentials, row-level security, idempotency keys and the audit log, beside
//! the same without any of them. Both stand on databases of their own and are measured in turns.

use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering::Relaxed};

use anyhow::{Context, Result};
use axum::Extension;
use harness::World;
use shared::{
    app::Settings,
    auth::{Caller, Principal, Role, service::Identity},
};

use crate::{
    Effort,
    client::{Client, Request, run},
    figure::{Figure, Target},
    handover::Watched,
    stand::{SESSIONS, Stand, body},
};

const AT_ONCE: usize = 16;

/// How many sessions are read.
const READ: usize = 200;

pub(crate) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let mut guarded = Stand::new(Watched::new(0), Settings::default()).await?;
    guarded.place.once = true;
    let bare = bare().await?;
    let (mut creates, mut gets) = (Vec::new(), Vec::new());
    let reads = [reads(&guarded).await?, reads(&bare).await?];
    for _ in 0..effort.runs {
        let create = || Some::<Request>(("POST", SESSIONS.to_owned(), body("{}", false)));
        let with = run(&guarded.place, AT_ONCE, effort.time, create).await?;
        let without = run(&bare.place, AT_ONCE, effort.time, create).await?;
        creates.push((with.per_second, Some(without.per_second)));
        let with = run(&guarded.place, AT_ONCE, effort.time, reads[0].clone()).await?;
        let without = run(&bare.place, AT_ONCE, effort.time, reads[1].clone()).await?;
        gets.push((with.per_second, Some(without.per_second)));
    }
    let told = "floor: without credentials, row-level security, idempotency keys and audit log";
    Ok(vec![
        Figure::rate("create, all guards on, 16 clients", &creates).reaching(Target::OfFloor(0.7)).note(told),
        Figure::rate("get, all guards on, 16 clients", &gets).reaching(Target::OfFloor(0.7)).note(told),
    ])
}

/// A stand where nobody asks who calls, every row is seen by all, and nothing goes on record.
async fn bare() -> Result<Stand> {
    let stand = Stand::new(Watched::new(0), Settings::default()).await?;
    let owner = stand.world.owner().await;
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

fn anybody(world: &World) -> Identity {
    let tenant = &world.tenant;
    let principal = Principal::Key { id: tenant.key_id(Role::Member), name: "anybody".to_owned(), user_id: None };
    Identity::Caller(Caller {
        tenant_id: tenant.id,
        home_tenant_id: tenant.id,
        role: Role::Member,
        scopes: Arc::default(),
        principal,
        request_id: Arc::from("bench"),
        address: None,
    })
}

/// Requests that read some sessions in turn.
async fn reads(stand: &Stand) -> Result<impl Fn() -> Option<Request> + Clone + Send + 'static> {
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
