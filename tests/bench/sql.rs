//! The product's own statements with its own values in them, for a client that only sends text.

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

/// Connects as the application's role, seeing one tenant.
pub(crate) async fn connect(url: &str, tenant: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "it lives as long as its client")]
    tokio::spawn(async move { _ = connection.await });
    client.batch_execute(&format!("select set_config('app.tenant_id', '{tenant}', false)")).await?;
    Ok(client)
}

/// Puts `values` in the places of `$1`, `$2`, ..
pub(crate) fn fill(statement: &str, values: &[String]) -> String {
    let mut text = String::new();
    let mut parts = statement.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let value = part[..digits].parse::<usize>().ok().and_then(|at| values.get(at.wrapping_sub(1)));
        text.push_str(value.map_or("$", String::as_str));
        text.push_str(&part[if value.is_some() { digits } else { 0 }..]);
    }
    // One line, so that a script of pgbench may hold it: a comment would take the rest of it along.
    text.lines().map(str::trim).filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join(" ")
}

/// A literal that no client takes for a variable of its own: neither a colon nor a dollar is left in it.
pub(crate) fn literal(value: Option<&str>, kind: &str) -> String {
    let Some(value) = value else { return format!("null::{kind}") };
    let escaped = value.replace('\\', r"\\").replace('\'', "''").replace(':', r"\x3a").replace('$', r"\x24");
    format!("E'{}'::{kind}", escaped.replace('\n', r"\n"))
}

/// Copies a session so many times; answers the ids of the copies.
pub(crate) async fn copy_session(client: &Client, id: &str, count: usize) -> Result<Vec<String>> {
    // A generated column finds its value by itself.
    let names = "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
                 where attrelid = 'sessions'::regclass and attnum > 0 and not attisdropped and attgenerated = ''";
    let names: String = client.query_one(names, &[]).await?.get(0);
    let sql = format!(
        "insert into sessions ({names}) select {names} from (
             select (jsonb_populate_record(s, jsonb_build_object('id', n.id, 'root_id', n.id))).*
             from sessions s, (select uuidv7() as id from generate_series(1, {count})) n where s.id = '{id}') copied
         returning id::text"
    );
    let rows = client.query(&sql, &[]).await?;
    client.batch_execute("analyze sessions").await.or_else(|_| anyhow::Ok(()))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What the columns of a session's row hold, as literals.
pub(crate) async fn columns(client: &Client, session: &str, names: &[&str]) -> Result<Vec<String>> {
    let texts: Vec<_> = names.iter().map(|name| format!("{name}::text, pg_typeof({name})::text")).collect();
    let sql = format!("select {} from sessions where id = '{session}'", texts.join(", "));
    let row = client.query_opt(&sql, &[]).await?.context("the session is there")?;
    Ok((0..names.len()).map(|at| literal(row.get(at * 2), row.get(at * 2 + 1))).collect())
}

/// The parameters of the events that are appended beside a row: those of the session's first event, `count` times.
pub(crate) async fn events(client: &Client, session: &str, kind: &str, count: usize) -> Result<Vec<String>> {
    let sql = format!(
        "select type, actor::text, payload::text from session_events where session_id = '{session}' and type = '{kind}' limit 1"
    );
    let row = client.query_opt(&sql, &[]).await?.context("the session has such an event")?;
    let array = |one: String, kind: &str| format!("array[{}]::{kind}[]", vec![one; count].join(", "));
    Ok(vec![
        array("uuidv7()".to_owned(), "uuid"),
        array(literal(row.get(0), "text"), "text"),
        array(literal(row.get(1), "jsonb"), "jsonb"),
        array(literal(row.get(2), "jsonb"), "jsonb"),
        "now()".to_owned(),
    ])
}

/// The names between `insert into sessions (` and `)`.
pub(crate) fn inserted(statement: &str) -> Vec<&str> {
    let names = statement.split_once("insert into sessions (").and_then(|(_, rest)| rest.split_once(')'));
    names.map(|(names, _)| names.split(", ").collect()).unwrap_or_default()
}

/// The names before ` = $` in an update, in the order of their parameters, after tenant and id. What is set to an
/// expression has no parameter of its own.
pub(crate) fn updated(statement: &str) -> Vec<&str> {
    let sets = statement.split_once(" set ").and_then(|(_, rest)| rest.split_once(" where "));
    let names = sets.map(|(sets, _)| sets.split(", ").filter_map(|set| Some(set.split_once(" = $")?.0)));
    ["tenant_id", "id"].into_iter().chain(names.into_iter().flatten()).collect()
}
