//! Writes a changed session: its row, its new events, its audit entry and what belongs to it, in one round trip.

use serde_json::Value;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    events::log::NewEvent,
    identity::audit,
    kernel::{
        actor::Actor,
        error::{Error, Result},
        id::EventId,
    },
    platform::postgres::{OwnedStatement, Params, Statement, Tx},
};

use super::{
    super::{change::SessionChange, session::Session},
    found::FoundSession,
    related_rows, row,
    statement::{FIND, SAVE},
};

/// Writes a changed session with its new events. The transaction has locked the row.
pub async fn save_change(tx: Tx, change: &SessionChange) -> Result<()> {
    Box::pin(write_change(tx, change, None)).await.map(|_| ())
}

/// As [`save_change`], and reads the session with its computed fields in the same round trip.
pub async fn save_and_find(tx: Tx, change: &SessionChange) -> Result<FoundSession> {
    let session = &change.session;
    let shown: Params<'_> = &[&change.now, &session.tenant_id, &session.id];
    let rows = Box::pin(write_change(tx, change, Some((&FIND, shown)))).await?;
    rows.first().map(row::found_of_row).transpose()?.ok_or_else(|| Error::session_not_found(session.id))
}

/// Writes everything of a change, and runs `then`, in one round trip.
async fn write_change(tx: Tx, change: &SessionChange, then: Option<Statement<'_>>) -> Result<Vec<Row>> {
    let values = saved_fields(&change.session);
    let sql = SAVE.get_or_init(|| {
        let changed = update_sql(&values, "", "tenant_id = $1 and id = $2");
        format!("with changed as ({changed}) {}", append_sql(values.len()))
    });
    let events = Events::of(&change.events);
    let row = save_parameters(&values, &events, change);
    write_with(tx, change, (sql, &row), then).await
}

/// Runs the statement that saves a change, with whatever else the change writes, and `then`, in one round trip.
pub(super) async fn write_with(
    mut tx: Tx,
    change: &SessionChange,
    save: Statement<'_>,
    then: Option<Statement<'_>>,
) -> Result<Vec<Row>> {
    if let Some(entry) = change.audit_entry() {
        audit::record(&mut tx, entry);
    }
    let beside = related_rows::insert_statements(change)?;
    let params: Vec<_> = beside.iter().map(OwnedStatement::params).collect();
    let mut statements: Vec<Statement<'_>> =
        beside.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
    statements.push(save);
    statements.extend(then);
    Ok(tx.finish_all(&statements).await?.pop().unwrap_or_default())
}

/// The fields of a row that may change, after its tenant and id, in the order of the parameters.
pub(super) fn saved_fields(session: &Session) -> Vec<row::Field<'_>> {
    let mut values: Vec<row::Field<'_>> =
        vec![("tenant_id", Box::new(session.tenant_id)), ("id", Box::new(session.id))];
    values.extend(row::changing_fields(session));
    values
}

/// The update of a row, with what the condition is about besides the row itself.
pub(super) fn update_sql(values: &[row::Field<'_>], from: &str, condition: &str) -> String {
    let sets = values.iter().enumerate().skip(2).map(|(at, (name, _))| format!("{name} = ${}", at + 1));
    let last = 1 + values.iter().position(|(name, _)| *name == "last_event_seq").unwrap_or_default();
    // A transaction that waited for the row may have begun before the one whose events precede its own.
    format!(
        "update sessions s set {}, last_event_position = case last_event_seq when ${last} then last_event_position
             else greatest(last_event_position, pg_current_xact_id()) end
         {from} where {condition} returning s.tenant_id, s.id, s.last_event_seq, s.last_event_position",
        sets.collect::<Vec<_>>().join(", "),
    )
}

/// Appends events with numbers up to the `last_event_seq` of the row in `changed`.
pub(super) fn append_sql(parameters: usize) -> String {
    let p = |n: usize| format!("${}", parameters + n);
    format!(
        "insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload, position)
         select c.tenant_id, c.id, c.last_event_seq - cardinality({ids}::uuid[]) + e.ord, e.id, e.type, e.actor, {at}, e.payload,
             c.last_event_position
         from changed c, unnest({ids}::uuid[], {types}::text[], {actors}::jsonb[], {payloads}::jsonb[])
             with ordinality as e(id, type, actor, payload, ord)",
        ids = p(1),
        types = p(2),
        actors = p(3),
        payloads = p(4),
        at = p(5),
    )
}

pub(super) fn save_parameters<'a>(
    values: &'a [row::Field<'_>],
    events: &'a Events<'_>,
    change: &'a SessionChange,
) -> Vec<&'a (dyn ToSql + Sync)> {
    let row = values.iter().map(|(_, value)| value.as_ref() as &(dyn ToSql + Sync));
    row.chain([&events.ids as &(dyn ToSql + Sync), &events.types, &events.actors, &events.payloads, &change.now])
        .collect()
}

/// The columns of new events.
pub(super) struct Events<'a> {
    pub(super) ids: Vec<EventId>,
    pub(super) types: Vec<&'static str>,
    pub(super) actors: Vec<Json<&'a Actor>>,
    pub(super) payloads: Vec<&'a Value>,
}

impl<'a> Events<'a> {
    pub(super) fn of(events: &'a [NewEvent]) -> Self {
        Self {
            ids: events.iter().map(|_| EventId::new()).collect(),
            types: events.iter().map(|event| event.kind.name()).collect(),
            actors: events.iter().map(|event| Json(&event.actor)).collect(),
            payloads: events.iter().map(|event| &event.payload).collect(),
        }
    }
}
