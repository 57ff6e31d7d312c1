//! SQL of the results of an experiment. Only the first session of a tree that ends counts towards success, because
//! samples must be independent.

use std::collections::BTreeMap;

use crate::{
    kernel::{
        error::Result,
        id::{ExperimentId, TenantId},
    },
    platform::postgres::Tx,
};

use super::super::{statistics::Tally, verdict::ArmTallies};

const TREES: &str = "
    select arm, count(distinct root_id) as trees from experiment_assignments
    where tenant_id = $1 and experiment_id = $2 group by arm";

const SUMS: &str = "
    select arm, count(*) as sessions, sum(cost_micros)::bigint as cost_micros, sum(duration_ms)::bigint as duration_ms,
           sum(tokens)::bigint as tokens
    from experiment_results where tenant_id = $1 and experiment_id = $2 group by arm";

const SUCCESSES: &str = "
    with first as (
        select distinct on (root_id) arm, success from experiment_results
        where tenant_id = $1 and experiment_id = $2 order by root_id, at, session_id)
    select arm, (success * 2)::integer as halves, count(*) as times from first group by 1, 2";

/// Compares the k-th tree of each arm with the k-th tree of each other arm, in order of their ends.
const PAIRS: &str = "
    with first as (
        select distinct on (root_id) arm, success, at, session_id from experiment_results
        where tenant_id = $1 and experiment_id = $2 order by root_id, at, session_id),
    numbered as (select arm, success, row_number() over (partition by arm order by at, session_id) as k from first)
    select a.arm as a, b.arm as b, ((b.success - a.success) * 2)::integer as halves, count(*) as times
    from numbered a join numbered b on b.k = a.k and a.arm < b.arm
    group by 1, 2, 3";

/// The results of an experiment, read in the transaction.
pub async fn read_tallies(tx: &mut Tx, tenant_id: TenantId, id: ExperimentId) -> Result<ArmTallies> {
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&tenant_id, &id];
    let answers = tx.query_all(&[(TREES, &params), (SUMS, &params), (SUCCESSES, &params), (PAIRS, &params)]).await?;
    let mut known = ArmTallies::default();
    for row in &answers[0] {
        known.arms.entry(row.try_get("arm")?).or_default().trees = row.try_get("trees")?;
    }
    for row in &answers[1] {
        let figures = known.arms.entry(row.try_get("arm")?).or_default();
        figures.sessions = row.try_get("sessions")?;
        figures.cost_micros = row.try_get("cost_micros")?;
        figures.duration_ms = row.try_get("duration_ms")?;
        figures.tokens = row.try_get("tokens")?;
    }
    for row in &answers[2] {
        let figures = known.arms.entry(row.try_get("arm")?).or_default();
        figures.successes.insert(row.try_get("halves")?, row.try_get("times")?);
    }
    let mut pairs: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for row in &answers[3] {
        let tally = pairs.entry((row.try_get("a")?, row.try_get("b")?)).or_default();
        tally.add(row.try_get("halves")?, row.try_get("times")?);
    }
    known.pairs = pairs;
    Ok(known)
}
