//! The metric tables that Bedrock writes, with one row per step.

use crate::training::trainers::Point;

/// The most points of a curve; longer curves are thinned.
const MOST_POINTS: usize = 2000;

/// The curve of `step_wise_training_metrics.csv`.
pub(super) fn parse_curve(table: &str) -> Vec<Point> {
    let mut rows = table.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let heads = rows.next().unwrap_or_default();
    let column = |name: &str| heads.iter().position(|head| *head == name);
    let (Some(step), Some(loss)) = (column("step_number"), column("training_loss")) else { return Vec::new() };
    let point = |row: Vec<&str>| {
        let loss: f64 = row.get(loss)?.parse().ok().filter(|loss: &f64| loss.is_finite())?;
        Some(Point { step: row.get(step)?.parse().ok()?, loss, learning_rate: None, eval_loss: None })
    };
    let mut points: Vec<Point> = rows.filter_map(point).collect();
    points.sort_by_key(|point| point.step);
    points.dedup_by_key(|point| point.step);
    let every = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last).map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_its_heads() {
        let points = parse_curve(
            "step_number,epoch_number,training_loss,perplexity\n0,0,2.5,12\n1,0,nan,1\n1,0,2.25,9\n1,1,2,8\nx\n",
        );
        assert_eq!(points.iter().map(|point| (point.step, point.loss)).collect::<Vec<_>>(), [(0, 2.5), (1, 2.25)]);
        assert!(parse_curve("").is_empty() && parse_curve("a,b\n1,2\n").is_empty());
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_end() {
        let rows = (0..10_001).map(|step| format!("{step},1.0")).collect::<Vec<_>>().join("\n");
        let points = parse_curve(&format!("step_number,training_loss\n{rows}"));
        assert!(points.len() <= MOST_POINTS + 1 && points.last().unwrap().step == 10_000);
    }
}
