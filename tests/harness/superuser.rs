//! The superuser's access to a test's database, past the product: reading every row, and putting a session
//! into a state that would take long to reach.

use std::collections::BTreeMap;

use shared::platform::postgres::migrations;
use tokio_postgres::Client;

use crate::TestApp;

/// A superuser's connection to a test's database.
pub struct Superuser(Client);

impl TestApp {
    pub async fn superuser(&self) -> Superuser {
        self.may_leave_work("a superuser changes rows past the product");
        Superuser(migrations::connect_owner(&self.database.owner_url).await.expect("the owner connects"))
    }
}

impl Superuser {
    /// Connects as the user in the URL.
    pub async fn of(url: &str) -> Self {
        Self(migrations::connect_owner(url).await.expect("Postgres answers"))
    }

    pub async fn run(&self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The first column of the first row.
    pub async fn number(&self, sql: &str) -> i64 {
        self.0.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// The first column of every row.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.0.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The constraint that refuses a statement, or else its error; none when it is not refused.
    pub async fn refusal(&self, sql: &str) -> Option<String> {
        let error = self.0.batch_execute(sql).await.err()?;
        let constraint = error.as_db_error().and_then(|error| error.constraint().map(str::to_owned));
        constraint.or_else(|| error.as_db_error().map(|error| error.code().code().to_owned()))
    }

    /// The tables of ioc.
    pub async fn tables(&self) -> Vec<String> {
        let sql = "select tablename::text from pg_tables where schemaname = 'public' and tablename not like 'refinery%' order by 1";
        self.texts(sql).await
    }

    /// All rows of all tables, as JSON; when a key was last used is left out, because looking is a use.
    pub async fn dump(&self) -> BTreeMap<String, String> {
        let mut dump = BTreeMap::new();
        for table in self.tables().await {
            let row = "(to_jsonb(t) - 'last_used_at')::text";
            let sql = format!("select coalesce(string_agg({row}, E'\\n' order by {row}), '') from {table} t");
            dump.insert(table, self.texts(&sql).await.remove(0));
        }
        dump
    }

    /// Puts a session into a state as if it had come there by itself, with one checkpoint; it is driven by a person.
    pub async fn place(&self, id: &str, state: &str) {
        let over = !matches!(state, "pending" | "queued" | "running" | "paused" | "degraded");
        let active = matches!(state, "running" | "degraded");
        let paused = if state == "paused" { "'manual'" } else { "null" };
        let now_if = |yes: bool| if yes { "now()" } else { "null" };
        let (ended, since, queued) = (now_if(over), now_if(active), now_if(state == "queued"));
        self.run(&format!(
            "begin;
             alter table sessions disable trigger session_transition;
             update sessions set status = '{state}', status_changed_at = now(), pause_reason = {paused}, queued_at = {queued},
                 offered_until = null, offered_handover = null, active_since = {since}, ended_at = {ended}, last_checkpoint = 1, next_step_at = null,
                 agent_id = (select a.id from agents a where a.name = 'manual')
             where id = '{id}';
             insert into session_checkpoints (tenant_id, session_id, sequence, cause, event_seq, patch, summary, usage, actor, at)
             select tenant_id, id, 1, 'manual', 1, '', '', '{{}}', '{{\"kind\": \"system\", \"id\": \"test\", \"name\": \"test\"}}', now()
             from sessions where id = '{id}';
             alter table sessions enable trigger session_transition;
             commit"
        ))
        .await;
    }
}
