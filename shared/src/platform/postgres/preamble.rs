//! The statements that begin a transaction, and the pipelined sending of one round trip.

use deadpool_postgres::Object;
use futures_util::future::join_all;
use tokio_postgres::Row;

use crate::{kernel::id::TenantId, platform::postgres::unit_of_work::UnitOfWork};

use super::statement::{OwnedStatement, Statement};

/// Postgres rolls a transaction back after this idle time. Otherwise a frozen process would keep its rows locked.
const IDLE_TIMEOUT: &str = "5s";

/// Postgres cancels a statement after this time. It is shorter than the time this process waits ([`super::error`]).
const STATEMENT_TIMEOUT: &str = "8s";

/// The statements that precede the first statement of a transaction.
pub(super) struct TransactionPreamble {
    /// Whether it begins a transaction or continues one.
    begins: bool,
    /// Whether Postgres plans each statement for the values of the call.
    plans_each_call: bool,
    locks: Vec<String>,
}

/// A preamble in the form in which it is sent.
#[derive(Default)]
pub(super) struct EncodedPreamble {
    begins: bool,
    /// Statements without parameters before the claim of the unit of work. Those in `then` follow the claim: they take
    /// locks and must not wait if the claim is refused.
    begin: String,
    claim: Option<OwnedStatement<'static>>,
    then: String,
}

/// Plans a statement once per connection instead of once per call. Row-level security makes custom plans look cheaper
/// than they are, and planning took most of the time of a create.
const PLAN_ONCE: &str = ", set_config('plan_cache_mode', 'force_generic_plan', true)";

impl TransactionPreamble {
    pub(super) fn begin_new() -> Self {
        Self { begins: true, plans_each_call: false, locks: Vec::new() }
    }

    pub(super) fn continue_open() -> Self {
        Self { begins: false, plans_each_call: false, locks: Vec::new() }
    }

    /// Whether the transaction has not begun yet.
    pub(super) fn begins_transaction(&self) -> bool {
        self.begins
    }

    /// Whether it takes locks and so may wait for other transactions.
    pub(super) fn waits_for_locks(&self) -> bool {
        !self.locks.is_empty()
    }

    /// Lets Postgres plan for the values of each call: worth its time where they decide which index serves, as the
    /// filters of a list do.
    pub(super) fn plan_each_call(&mut self) {
        self.plans_each_call = true;
    }

    pub(super) fn add_lock(&mut self, name: &str) {
        self.locks.push(lock_statement("pg_advisory_xact_lock", name));
    }

    pub(super) fn add_shared_lock(&mut self, name: &str) {
        self.locks.push(lock_statement("pg_advisory_xact_lock_shared", name));
    }

    /// Encodes the preamble for a transaction that sees a tenant, alone or within a unit of work. If this round trip
    /// also ends the unit, its final statement takes the claim instead.
    pub(super) fn encode_for(self, tenant_id: TenantId, unit: Option<&UnitOfWork>, ends: bool) -> EncodedPreamble {
        let Self { begins, plans_each_call, locks } = self;
        let claim = unit.filter(|_| begins && !ends).and_then(UnitOfWork::take_claim);
        let mut turns = unit.is_none_or(|unit| unit.switch_tenant(tenant_id));
        let (mut begin, mut then) = (Vec::new(), Vec::new());
        if begins {
            let first = claim.as_ref().map_or(tenant_id, |(claiming, _)| *claiming);
            turns = first != tenant_id;
            let plans = if plans_each_call { "" } else { PLAN_ONCE };
            begin.push("begin".to_owned());
            begin.push(format!(
                "{}, set_config('idle_in_transaction_session_timeout', '{IDLE_TIMEOUT}', true), \
                 set_config('statement_timeout', '{STATEMENT_TIMEOUT}', true){plans}",
                set_tenant(first)
            ));
        }
        if turns {
            then.push(set_tenant(tenant_id));
        }
        then.extend(locks);
        if claim.is_none() {
            begin.append(&mut then);
        }
        EncodedPreamble { begins, begin: begin.join("; "), claim: claim.map(|(_, claim)| claim), then: then.join("; ") }
    }
}

impl EncodedPreamble {
    /// Whether nothing of the transaction ran before it.
    pub(super) fn begins_transaction(&self) -> bool {
        self.begins
    }
}

fn lock_statement(function: &str, name: &str) -> String {
    format!("select {function}(hashtextextended('{}', 0))", name.replace('\'', "''"))
}

/// The statement that makes a transaction see one tenant.
fn set_tenant(tenant_id: TenantId) -> String {
    format!("select set_config('app.tenant_id', '{tenant_id}', true)")
}

/// The prepared statements of one round trip.
pub(super) struct PreparedStatements {
    claim: Option<tokio_postgres::Statement>,
    statements: Vec<tokio_postgres::Statement>,
}

/// Prepares the statements that the connection does not know yet. This does not begin the transaction.
pub(super) async fn prepare_statements(
    client: &Object,
    first: &EncodedPreamble,
    statements: &[Statement<'_>],
) -> Result<PreparedStatements, tokio_postgres::Error> {
    let claim = match &first.claim {
        Some(claim) => Some(client.prepare_cached(claim.sql).await?),
        None => None,
    };
    let mut prepared = Vec::with_capacity(statements.len());
    for (sql, _) in statements {
        prepared.push(client.prepare_cached(sql).await?);
    }
    Ok(PreparedStatements { claim, statements: prepared })
}

/// Sends the preamble, the statements and, after the `last` ones, the commit. The first poll sends all of them.
pub(super) async fn send_pipelined(
    client: &Object,
    first: &EncodedPreamble,
    statements: &[Statement<'_>],
    prepared: &PreparedStatements,
    last: bool,
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    let simple = async |sql: &str| if sql.is_empty() { Ok(()) } else { client.batch_execute(sql).await };
    let claiming = async || match (&prepared.claim, &first.claim) {
        (Some(statement), Some(claim)) => client.query(statement, &claim.params()).await.map(|_| ()),
        _ => Ok(()),
    };
    // The futures send in the order of their first poll, which is the order below.
    let queries = prepared.statements.iter().zip(statements);
    let queries = queries.map(|(statement, (_, params))| client.query(statement, params));
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
