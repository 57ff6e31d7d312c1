//! Compares two versions. Pure.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ModelVersion;

/// Which of two values is better.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = BetterModel)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    A,
    B,
    Equal,
}

/// One metric of two versions.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparedMetric {
    /// The name of the metric.
    pub metric: &'static str,
    /// The value of the first version; null if unknown.
    pub a: Option<f64>,
    /// The value of the second version; null if unknown.
    pub b: Option<f64>,
    /// `b` minus `a`; null if either is unknown.
    pub difference: Option<f64>,
    /// The better version; null if either value is unknown.
    pub better: Option<Better>,
}

/// A field in which two versions differ.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DifferingField {
    /// `base_model`, `dataset`, `provider` or `parameters.<name>`.
    pub field: String,
    /// The value of the first version.
    #[schema(value_type = Option<Object>)]
    pub a: Value,
    /// The value of the second version.
    #[schema(value_type = Option<Object>)]
    pub b: Value,
}

/// The direction of a metric.
#[derive(Clone, Copy)]
enum WantedDirection {
    Less,
    More,
    Neither,
}

/// The metrics of two versions, side by side.
pub fn compare_metrics(a: &ModelVersion, b: &ModelVersion) -> Vec<ComparedMetric> {
    type Figure = fn(&ModelVersion) -> Option<f64>;
    let figures: [(&'static str, WantedDirection, Figure); 6] = [
        ("final_loss", WantedDirection::Less, |one| one.metrics.final_loss),
        ("eval_loss", WantedDirection::Less, |one| one.metrics.eval_loss),
        ("accuracy", WantedDirection::More, |one| one.metrics.accuracy),
        ("training_duration_seconds", WantedDirection::Neither, |one| one.metrics.training_duration_seconds),
        ("tokens_processed", WantedDirection::Neither, |one| one.metrics.tokens_processed.map(to_real)),
        ("cost_usd", WantedDirection::Neither, |one| one.cost_micros.map(|micros| to_real(micros) / 1e6)),
    ];
    figures.into_iter().map(|(metric, wanted, figure)| compare_metric(metric, wanted, figure(a), figure(b))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn to_real(number: i64) -> f64 {
    number as f64
}

fn compare_metric(metric: &'static str, wanted: WantedDirection, a: Option<f64>, b: Option<f64>) -> ComparedMetric {
    let both = a.zip(b);
    let better = both.and_then(|(a, b)| match (wanted, a.partial_cmp(&b)?) {
        (WantedDirection::Neither, _) => None,
        (_, std::cmp::Ordering::Equal) => Some(Better::Equal),
        (WantedDirection::Less, std::cmp::Ordering::Less) | (WantedDirection::More, std::cmp::Ordering::Greater) => {
            Some(Better::A)
        }
        _ => Some(Better::B),
    });
    ComparedMetric { metric, a, b, difference: both.map(|(a, b)| b - a), better }
}

/// Other differences: the inputs, and each parameter.
pub fn differing_fields(a: &ModelVersion, b: &ModelVersion) -> Vec<DifferingField> {
    let made = |one: &ModelVersion| {
        [
            ("base_model", Value::from(one.base_model.clone())),
            ("dataset", Value::from(one.dataset_sha256.clone())),
            ("recipe", Value::from(one.recipe_hash.clone())),
            ("provider", Value::from(one.provider.clone())),
            ("model_identifier", Value::from(one.model_identifier.clone())),
        ]
    };
    let made =
        made(a).into_iter().zip(made(b)).map(|((field, a), (_, b))| DifferingField { field: field.to_owned(), a, b });
    let mut names: Vec<_> = a.parameters.keys().chain(b.parameters.keys()).collect();
    names.sort();
    names.dedup();
    let of = |one: &ModelVersion, name: &str| one.parameters.get(name).cloned().unwrap_or_default();
    let parameters = names.into_iter().map(|name| DifferingField {
        field: format!("parameters.{name}"),
        a: of(a, name),
        b: of(b, name),
    });
    made.chain(parameters).filter(|one| one.a != one.b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_loss_and_more_accuracy_are_better_and_what_is_unknown_is_not_compared() {
        let better = |wanted, a, b| compare_metric("x", wanted, a, b).better;
        assert_eq!(better(WantedDirection::Less, Some(0.5), Some(0.4)), Some(Better::B));
        assert_eq!(better(WantedDirection::More, Some(0.5), Some(0.4)), Some(Better::A));
        assert_eq!(better(WantedDirection::More, Some(0.5), Some(0.5)), Some(Better::Equal));
        assert_eq!(better(WantedDirection::Neither, Some(0.5), Some(0.4)), None);
        let unknown = compare_metric("x", WantedDirection::Less, None, Some(1.0));
        assert_eq!((unknown.difference, unknown.better), (None, None));
        assert_eq!(compare_metric("x", WantedDirection::Less, Some(2.0), Some(1.5)).difference, Some(-0.5));
    }
}
