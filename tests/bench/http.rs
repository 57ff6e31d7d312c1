//! Create, get, list and start, over a real listener; beside each the same SQL by pgbench.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use shared::sessions::store::statement;
use tokio_postgres::Client as Postgres;

use crate::{
    Effort,
    client::{Client, Request, run},
    figure::{Figure, Samples, Target},
    pgbench::{self, transaction},
    sql::{columns, connect, copy_session, events, fill, inserted, literal},
    stand::{SESSIONS, Stand, body},
};

const AT_ONCE: usize = 16;
/// How many sessions a tenant has whose list is read.
const MANY: usize = 10_000;

const CREATE: &str = "create, 16 clients";
const GET: &str = "get";
const LIST: &str = "list, 50 of 10 000";
const START: &str = "start";

pub(crate) async fn measure(stand: &Stand, effort: &Effort) -> Result<Vec<Figure>> {
    let tenant = stand.world.tenant.id.to_string();
    let postgres = connect(&stand.world.database.url, &tenant).await?;
    let mut client = Client::connect(&stand.place).await?;
    let first = stand.pending(&mut client, "{}").await?;
    let mut figures = create(stand, effort, &postgres, &first).await?;
    let ids = seed(&postgres, &first).await?;
    figures.push(get(stand, effort, &ids).await?);
    figures.push(list(stand, effort).await?);
    figures.push(start(stand, effort).await?);
    Ok(figures)
}

async fn create(stand: &Stand, effort: &Effort, postgres: &Postgres, first: &str) -> Result<Vec<Figure>> {
    let tenant = stand.world.tenant.id.to_string();
    let script = transaction(&tenant, &[vec![inserts(postgres, first).await?]]);
    let request = || Some::<Request>(("POST", SESSIONS.to_owned(), body("{}", false)));
    let (mut each, mut runs) = (Samples::default(), Vec::new());
    for _ in 0..effort.runs {
        let ours = run(&stand.place, AT_ONCE, effort.time, request).await?;
        let floor = pgbench::run(&stand.world.database.url, &script, AT_ONCE, effort.time).await?;
        each.extend(ours.each);
        runs.push((ours.per_second, Some(floor.per_second)));
    }
    let one = run(&stand.place, 1, effort.time, request).await?;
    Ok(vec![
        Figure::rate(CREATE, &runs).reaching(Target::OfFloor(0.4)).note("floor: the same SQL by pgbench, 16 clients"),
        Figure::of("create, each of 16", "ms", &each),
        Figure::of("create, alone", "ms", &one.each),
    ])
}

/// What a create sends.
async fn inserts(postgres: &Postgres, first: &str) -> Result<String> {
    let insert = statement::INSERT.get().context("a session was made")?;
    let mut names = inserted(insert);
    // Its value is found by the statement itself.
    names.retain(|name| *name != "agent_id");
    let mut values = columns(postgres, first, &names).await?;
    for (name, value) in names.iter().zip(&mut values) {
        if ["id", "root_id"].contains(name) {
            "uuidv7()".clone_into(value);
        }
    }
    values.extend(events(postgres, first, "session.created", 1).await?);
    // The agent, not started, the tenant has no default environment, and its limits are counted exactly.
    values.extend([literal(Some("scripted"), "text"), "false".to_owned(), "true".to_owned(), "true".to_owned()]);
    Ok(fill(insert, &values))
}

/// Copies a session until there are many, and gives the ids of some.
async fn seed(postgres: &Postgres, first: &str) -> Result<Vec<String>> {
    let ids = copy_session(postgres, first, MANY).await?;
    Ok(ids.into_iter().step_by(MANY / 100).collect())
}

async fn get(stand: &Stand, effort: &Effort, ids: &[String]) -> Result<Figure> {
    let tenant = stand.world.tenant.id.to_string();
    let array = ids.iter().map(|id| literal(Some(id), "uuid")).collect::<Vec<_>>().join(", ");
    let any = format!("(array[{array}])[:n]");
    let values = ["now()".to_owned(), literal(Some(&tenant), "uuid"), any];
    let script =
        format!("\\set n random(1, {})\n{}", ids.len(), transaction(&tenant, &[vec![fill(&statement::FIND, &values)]]));
    let paths: Vec<_> = ids.iter().map(|id| format!("{SESSIONS}/{id}")).collect();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let request = move || {
        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) * 37 % paths.len();
        Some(("GET", paths[at].clone(), String::new()))
    };
    let (each, floor) = alone(stand, effort, &script, request).await?;
    Ok(Figure::of(GET, "ms", &each)
        .above(floor.median())
        .reaching(Target::Below(1.0))
        .note("one client; floor: the same SQL by pgbench"))
}

async fn list(stand: &Stand, effort: &Effort) -> Result<Figure> {
    let tenant = stand.world.tenant.id.to_string();
    let values = ["now()".to_owned(), literal(Some(&tenant), "uuid"), "51::bigint".to_owned()];
    let script = transaction(&tenant, &[vec![fill(&statement::list(""), &values)]]);
    let request = || Some(("GET", format!("{SESSIONS}?limit=50"), String::new()));
    let (each, floor) = alone(stand, effort, &script, request).await?;
    Ok(Figure::of(LIST, "ms", &each)
        .above(floor.median())
        .reaching(Target::Below(4.0))
        .note("one client; floor: the same SQL by pgbench"))
}

/// One client of ours and one of pgbench, in turns.
async fn alone(
    stand: &Stand,
    effort: &Effort,
    script: &str,
    request: impl Fn() -> Option<Request> + Clone + Send + 'static,
) -> Result<(Samples, Samples)> {
    let (mut each, mut floor) = (Samples::default(), Samples::default());
    for _ in 0..effort.runs {
        each.extend(run(&stand.place, 1, effort.time, request.clone()).await?.each);
        floor.extend(pgbench::run(&stand.world.database.url, script, 1, effort.time).await?.each);
    }
    Ok((each, floor))
}

/// Starts sessions that then do nothing, one after the other.
async fn start(stand: &Stand, effort: &Effort) -> Result<Figure> {
    let mut client = Client::connect(&stand.place).await?;
    let mut paths = Vec::new();
    for _ in 0..effort.starts {
        let id = stand.pending(&mut client, r#"{"agent": "manual"}"#).await?;
        paths.push(format!("{SESSIONS}/{id}/start"));
    }
    let paths = Arc::new(Mutex::new(paths));
    let request = move || {
        let path = paths.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(("POST", path, String::new()))
    };
    let started = run(&stand.place, 1, Duration::from_mins(1), request).await?;
    Ok(Figure::of(START, "ms", &started.each).note("one client; the handover to the agent goes on beside it"))
}
