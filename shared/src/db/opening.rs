//! What a transaction begins with, and how all of a round trip is sent: in order, without waiting in between.

use deadpool_postgres::Object;
use futures_util::future::join_all;
use tokio_postgres::Row;

use crate::{id::TenantId, unit::Unit};

use super::{LONGEST_SILENCE, LONGEST_STATEMENT, Owned, Statement};

/// What is to be sent before the first statement of a transaction.
pub(super) struct Opening {
    /// Whether it begins a transaction, or goes on with one.
    begins: bool,
    /// Whether Postgres may plan each statement anew for the values that it is sent with.
    plans_anew: bool,
    locks: Vec<String>,
}

/// The same, as it is sent.
#[derive(Default)]
pub(super) struct Sent {
    begins: bool,
    /// Statements without parameters; then what the unit claims; then the rest of those without parameters, which wait for
    /// nobody if the claim is refused.
    begin: String,
    claim: Option<Owned<'static>>,
    then: String,
}

/// A statement that decides something is planned once a connection, not once a call. Row-level security makes Postgres
/// believe that a plan for the very values is cheaper by more than the planning costs: that took most of a create's time.
const PLAN_ONCE: &str = ", set_config('plan_cache_mode', 'force_generic_plan', true)";

impl Opening {
    pub(super) fn anew() -> Self {
        Self { begins: true, plans_anew: false, locks: Vec::new() }
    }

    pub(super) fn going_on() -> Self {
        Self { begins: false, plans_anew: false, locks: Vec::new() }
    }

    /// Whether nothing was begun yet.
    pub(super) fn begins(&self) -> bool {
        self.begins
    }

    /// Whether it has to wait for others.
    pub(super) fn waits(&self) -> bool {
        !self.locks.is_empty()
    }

    /// Lets Postgres look at the values before it plans: worth its time where they decide which index serves, as the
    /// filters of a list do.
    pub(super) fn plan_anew(&mut self) {
        self.plans_anew = true;
    }

    pub(super) fn lock(&mut self, name: &str) {
        let quoted = name.replace('\'', "''");
        self.locks.push(format!("select pg_advisory_xact_lock(hashtextextended('{quoted}', 0))"));
    }

    /// For a transaction that is to see a tenant, as part of a unit or alone. What `ends` a unit at once takes its claim
    /// by itself.
    pub(super) fn of(self, tenant_id: TenantId, unit: Option<&Unit>, ends: bool) -> Sent {
        let Self { begins, plans_anew, locks } = self;
        let claim = unit.filter(|_| begins && !ends).and_then(Unit::take_claim);
        let mut turns = unit.is_none_or(|unit| unit.turn_to(tenant_id));
        let (mut begin, mut then) = (Vec::new(), Vec::new());
        if begins {
            let first = claim.as_ref().map_or(tenant_id, |(claiming, _)| *claiming);
            turns = first != tenant_id;
            let plans = if plans_anew { "" } else { PLAN_ONCE };
            begin.push("begin".to_owned());
            begin.push(format!(
                "{}, set_config('idle_in_transaction_session_timeout', '{LONGEST_SILENCE}', true), \
                 set_config('statement_timeout', '{LONGEST_STATEMENT}', true){plans}",
                see(first)
            ));
        }
        if turns {
            then.push(see(tenant_id));
        }
        then.extend(locks);
        if claim.is_none() {
            begin.append(&mut then);
        }
        Sent { begins, begin: begin.join("; "), claim: claim.map(|(_, claim)| claim), then: then.join("; ") }
    }
}

impl Sent {
    /// Whether nothing of the transaction was done before it.
    pub(super) fn begins(&self) -> bool {
        self.begins
    }
}

/// What lets a transaction see one tenant.
fn see(tenant_id: TenantId) -> String {
    format!("select set_config('app.tenant_id', '{tenant_id}', true)")
}

/// Sends what opens the transaction, the statements, and, if they are the `last`, what commits it.
pub(super) async fn send(
    client: &Object,
    first: &Sent,
    statements: &[Statement<'_>],
    last: bool,
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    let claim = match &first.claim {
        Some(claim) => Some((client.prepare_cached(claim.sql).await?, claim.params())),
        None => None,
    };
    let mut prepared = Vec::with_capacity(statements.len());
    for (sql, _) in statements {
        prepared.push(client.prepare_cached(sql).await?);
    }
    let simple = async |sql: &str| if sql.is_empty() { Ok(()) } else { client.batch_execute(sql).await };
    let claiming = async || match &claim {
        Some((statement, params)) => client.query(statement, params).await.map(|_| ()),
        None => Ok(()),
    };
    // They are sent in the order in which they are first polled, which is the order of writing.
    let queries = prepared.iter().zip(statements).map(|(statement, (_, params))| client.query(statement, params));
    let (opened, claimed, turned, answers, committed) = futures_util::join!(
        simple(&first.begin),
        claiming(),
        simple(&first.then),
        join_all(queries),
        simple(if last { "commit" } else { "" })
    );
    opened?;
    claimed?;
    turned?;
    let answers = answers.into_iter().collect::<Result<_, _>>()?;
    committed?;
    Ok(answers)
}
