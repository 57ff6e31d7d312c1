//! Commits a unit of work: its deferred write, its audit entries and its final statement travel with the commit.

use crate::kernel::{
    error::{Code, Error, Result},
    id::TenantId,
};

use super::{
    pool::Db,
    statement::OwnedStatement,
    unit_of_work::{FinalStatement, UnitOfWork},
};

impl UnitOfWork {
    /// Commits the unit together with its final statement, then runs what must follow the commit.
    pub(crate) async fn end_with(&self, db: &Db, last: Option<FinalStatement>) -> Result<()> {
        let (sees, undone) = self.with_state(|state| (state.sees, state.undone));
        let defer = self.take_deferred();
        let first = defer.as_ref().map(|(of, _)| *of).or(sees).or(last.as_ref().map(|last| last.tenant_id));
        // If a part was rolled back, the rest must not be committed alone.
        let first = first.filter(|_| !undone).ok_or_else(lost_connection)?;
        let tx = db.last_of(self, first).await?;
        let mut sees = first;
        let mut statements = defer.as_ref().map(|(_, write)| write.statements()).unwrap_or_default();
        // An appended audit entry locks its chain until the commit, so it comes last.
        let mut entries = self.with_state(|state| std::mem::take(&mut state.before_commit));
        if let Some(FinalStatement { tenant_id, statement: mut last, with_entry }) = last {
            statements.extend((tenant_id != sees).then(|| set_tenant(tenant_id)));
            if entries.first().is_some_and(|(of, _)| *of == tenant_id) {
                let (_, entry) = entries.remove(0);
                last.sql = with_entry;
                last.values.extend(entry.values);
            }
            statements.push(last);
            sees = tenant_id;
        }
        statements.extend(append_entries(entries, sees));
        let params: Vec<_> = statements.iter().map(OwnedStatement::params).collect();
        let all: Vec<_> = statements.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
        let ended = tx.finish_all(&all).await;
        ended.map_err(|error| match &defer {
            Some((_, write)) => write.map_refusal(error),
            None => error,
        })?;
        for follows in self.with_state(|state| std::mem::take(&mut state.after)) {
            follows.await;
        }
        Ok(())
    }
}

/// Runs work that writes for several tenants as one transaction: within the current unit of work, or in a new one.
pub(crate) async fn in_unit_of_work<T>(db: &Db, work: impl Future<Output = Result<T>>) -> Result<T> {
    if UnitOfWork::current_unit().is_some() {
        return Box::pin(work).await;
    }
    let unit = UnitOfWork::default();
    let answer = unit.enter(Box::pin(work)).await?;
    Box::pin(unit.end_with(db, None)).await?;
    Ok(answer)
}

/// The error for a unit that was rolled back in part. The request succeeds when it is sent again.
pub(crate) fn lost_connection() -> Error {
    Error::new(Code::DependencyUnavailable, "Somebody else changed the same rows at once.")
}

/// The statements that append entries to the chains of their tenants, from a transaction that sees one tenant.
pub(crate) fn append_entries(
    entries: Vec<(TenantId, OwnedStatement<'static>)>,
    mut sees: TenantId,
) -> Vec<OwnedStatement<'static>> {
    let mut statements = Vec::with_capacity(2 * entries.len());
    for (tenant_id, entry) in entries {
        if tenant_id != sees {
            statements.push(set_tenant(tenant_id));
            sees = tenant_id;
        }
        statements.push(entry);
    }
    statements
}

/// The statement after which the transaction sees another tenant.
pub(crate) fn set_tenant(tenant_id: TenantId) -> OwnedStatement<'static> {
    OwnedStatement {
        sql: "select set_config('app.tenant_id', $1, true)",
        values: vec![Box::new(tenant_id.to_string())],
    }
}
