//! Two versions side by side. Pure.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ModelVersion;

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = BetterModel)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    A,
    B,
    Equal,
}

/// One figure of both.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ComparedMetric)]
pub struct Compared {
    pub metric: &'static str,
    pub a: Option<f64>,
    pub b: Option<f64>,
    /// b less a, where both are known.
    pub difference: Option<f64>,
    /// Where both are known and less or more of it is better as such.
    pub better: Option<Better>,
}

/// What of two versions differs beside their figures.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = DifferingField)]
pub struct Differing {
    /// `base_model`, `dataset`, `provider`, or `parameters.<name>`.
    pub field: String,
    #[schema(value_type = Option<Object>)]
    pub a: Value,
    #[schema(value_type = Option<Object>)]
    pub b: Value,
}

/// What is better of a figure.
#[derive(Clone, Copy)]
enum Wanted {
    Less,
    More,
    Neither,
}

/// The figures of two versions, side by side.
pub fn metrics(a: &ModelVersion, b: &ModelVersion) -> Vec<Compared> {
    type Figure = fn(&ModelVersion) -> Option<f64>;
    let figures: [(&'static str, Wanted, Figure); 6] = [
        ("final_loss", Wanted::Less, |one| one.metrics.final_loss),
        ("eval_loss", Wanted::Less, |one| one.metrics.eval_loss),
        ("accuracy", Wanted::More, |one| one.metrics.accuracy),
        ("training_duration_seconds", Wanted::Neither, |one| one.metrics.training_duration_seconds),
        ("tokens_processed", Wanted::Neither, |one| one.metrics.tokens_processed.map(whole)),
        ("cost_usd", Wanted::Neither, |one| one.cost_micros.map(|micros| whole(micros) / 1e6)),
    ];
    figures.into_iter().map(|(metric, wanted, figure)| compared(metric, wanted, figure(a), figure(b))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn whole(number: i64) -> f64 {
    number as f64
}

fn compared(metric: &'static str, wanted: Wanted, a: Option<f64>, b: Option<f64>) -> Compared {
    let both = a.zip(b);
    let better = both.and_then(|(a, b)| match (wanted, a.partial_cmp(&b)?) {
        (Wanted::Neither, _) => None,
        (_, std::cmp::Ordering::Equal) => Some(Better::Equal),
        (Wanted::Less, std::cmp::Ordering::Less) | (Wanted::More, std::cmp::Ordering::Greater) => Some(Better::A),
        _ => Some(Better::B),
    });
    Compared { metric, a, b, difference: both.map(|(a, b)| b - a), better }
}

/// What else differs: what they were made of, and each parameter.
pub fn differing(a: &ModelVersion, b: &ModelVersion) -> Vec<Differing> {
    let made = |one: &ModelVersion| {
        [
            ("base_model", Value::from(one.base_model.clone())),
            ("dataset", Value::from(one.dataset_sha256.clone())),
            ("recipe", Value::from(one.recipe_hash.clone())),
            ("provider", Value::from(one.provider.clone())),
            ("model_identifier", Value::from(one.model_identifier.clone())),
        ]
    };
    let made = made(a).into_iter().zip(made(b)).map(|((field, a), (_, b))| Differing { field: field.to_owned(), a, b });
    let mut names: Vec<_> = a.parameters.keys().chain(b.parameters.keys()).collect();
    names.sort();
    names.dedup();
    let of = |one: &ModelVersion, name: &str| one.parameters.get(name).cloned().unwrap_or_default();
    let parameters =
        names.into_iter().map(|name| Differing { field: format!("parameters.{name}"), a: of(a, name), b: of(b, name) });
    made.chain(parameters).filter(|one| one.a != one.b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_loss_and_more_accuracy_are_better_and_what_is_unknown_is_not_compared() {
        let better = |wanted, a, b| compared("x", wanted, a, b).better;
        assert_eq!(better(Wanted::Less, Some(0.5), Some(0.4)), Some(Better::B));
        assert_eq!(better(Wanted::More, Some(0.5), Some(0.4)), Some(Better::A));
        assert_eq!(better(Wanted::More, Some(0.5), Some(0.5)), Some(Better::Equal));
        assert_eq!(better(Wanted::Neither, Some(0.5), Some(0.4)), None);
        let unknown = compared("x", Wanted::Less, None, Some(1.0));
        assert_eq!((unknown.difference, unknown.better), (None, None));
        assert_eq!(compared("x", Wanted::Less, Some(2.0), Some(1.5)).difference, Some(-0.5));
    }
}
