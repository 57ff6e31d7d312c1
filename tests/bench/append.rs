//! Events appended: sessions whose agent has twenty new lines at each look, looked at as fast as it goes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use shared::{
    app::Settings,
    sessions::{policy::PollPolicy, store::statement},
};
use tokio::time::sleep;
use tokio_postgres::Client as Postgres;

use crate::{
    Effort,
    client::{Client, rate},
    figure::Figure,
    handover::Watched,
    pgbench::{self, transaction},
    sql::{columns, connect, events, fill, literal, updated},
    stand::{SESSIONS, Stand},
};

const LINES: usize = 20;
const SESSIONS_AT_ONCE: usize = 16;

pub(crate) async fn measure(effort: &Effort) -> Result<Figure> {
    let at_once = Duration::from_millis(1);
    let poll = PollPolicy { interval_min: at_once, interval_max: at_once, ..PollPolicy::default() };
    let stand = Stand::new(Watched::new(LINES), Settings { poll, ..Settings::default() }).await?;
    let tenant = stand.world.tenant.id.to_string();
    let postgres = connect(&stand.world.database.url, &tenant).await?;
    let mut client = Client::connect(&stand.place).await?;
    let mut ids = Vec::new();
    for _ in 0..SESSIONS_AT_ONCE {
        let id = stand.pending(&mut client, r#"{"agent": "watched"}"#).await?;
        client.send("POST", &format!("{SESSIONS}/{id}/start"), "").await?;
        ids.push(id);
    }
    let mut ours = Vec::new();
    sleep(Duration::from_millis(500)).await;
    for _ in 0..effort.runs {
        let (before, began) = (count(&postgres).await?, Instant::now());
        sleep(effort.time).await;
        ours.push(rate(count(&postgres).await? - before, began.elapsed()));
    }
    let script = appends(&postgres, &tenant, &ids).await?;
    let url = stand.world.database.url.clone();
    // The sessions go on until their workers end: only then is the machine the floor's.
    let database = stand.world.database.clone();
    drop(stand);
    let mut runs = Vec::new();
    for rate in ours {
        let floor = pgbench::run(&url, &script, SESSIONS_AT_ONCE, effort.time).await?;
        #[expect(clippy::cast_precision_loss, reason = "twenty")]
        runs.push((rate, Some(floor.per_second * LINES as f64)));
    }
    drop(database);
    Ok(Figure::rate("events appended", &runs).note(
        "whole steps of 16 sessions: lock, claim, look at the agent, write 20 events, release; floor: the writing transaction alone, by pgbench",
    ))
}

async fn count(postgres: &Postgres) -> Result<usize> {
    let row = postgres.query_one("select sum(last_event_seq)::bigint from sessions", &[]).await?;
    Ok(usize::try_from(row.get::<_, i64>(0))?)
}

/// What the write of a step sends, for a session of each client's own.
async fn appends(postgres: &Postgres, tenant: &str, ids: &[String]) -> Result<String> {
    let save = statement::SAVE.get().context("a session was written")?;
    let names = updated(save);
    let mut values = columns(postgres, &ids[0], &names).await?;
    let array = ids.iter().map(|id| literal(Some(id), "uuid")).collect::<Vec<_>>().join(", ");
    let own = format!("(array[{array}])[:client_id + 1]");
    for (name, value) in names.iter().zip(&mut values) {
        match *name {
            "id" => value.clone_from(&own),
            "last_event_seq" => *value = format!("last_event_seq + {LINES}"),
            _ => {}
        }
    }
    values.extend(events(postgres, &ids[0], "session.log", LINES).await?);
    let lock = [literal(Some(tenant), "uuid"), own];
    Ok(transaction(tenant, &[vec![fill(&statement::LOCK, &lock)], vec![fill(save, &values)]]))
}
