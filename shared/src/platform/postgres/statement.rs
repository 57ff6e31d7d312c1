//! SQL statements with their parameters, borrowed or owned.

use tokio_postgres::types::ToSql;

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A statement with its parameters.
pub type Statement<'a> = (&'a str, Params<'a>);

/// When a deferred statement of a transaction is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DeferredClass {
    /// With the last statements of the transaction: events.
    WithLast,
    /// Right before the commit, after everything else: audit entries, whose chain is locked until the commit.
    BeforeCommit,
}

/// A statement that owns its parameters.
pub(crate) struct OwnedStatement<'a> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
}

impl OwnedStatement<'_> {
    pub(crate) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect()
    }
}
