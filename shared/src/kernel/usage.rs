//! The usage of a session as cumulative figures: the highest value wins, so a repeated observation adds nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tokens and cost of a session and the agent's own children since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens read by the model that were not cached.
    pub tokens_input: i64,
    pub tokens_output: i64,
    pub tokens_reasoning: i64,
    /// Tokens read from or written to the provider's cache.
    pub tokens_cached: i64,
    /// Micro-dollars (1 USD = 1 000 000).
    pub cost_micros: i64,
}

impl Usage {
    /// The maximum of each figure.
    #[must_use]
    pub fn highest(self, other: Self) -> Self {
        Self {
            tokens_input: self.tokens_input.max(other.tokens_input),
            tokens_output: self.tokens_output.max(other.tokens_output),
            tokens_reasoning: self.tokens_reasoning.max(other.tokens_reasoning),
            tokens_cached: self.tokens_cached.max(other.tokens_cached),
            cost_micros: self.cost_micros.max(other.cost_micros),
        }
    }

    /// The sum of each figure, saturating.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            tokens_input: self.tokens_input.saturating_add(other.tokens_input),
            tokens_output: self.tokens_output.saturating_add(other.tokens_output),
            tokens_reasoning: self.tokens_reasoning.saturating_add(other.tokens_reasoning),
            tokens_cached: self.tokens_cached.saturating_add(other.tokens_cached),
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
        }
    }

    /// All tokens that count against the tenant's monthly limit.
    pub fn tokens(&self) -> i64 {
        self.tokens_input
            .saturating_add(self.tokens_output)
            .saturating_add(self.tokens_reasoning)
            .saturating_add(self.tokens_cached)
    }
}

/// An amount in US dollars: decimal text such as `0.031`, or a number. Answers hold amounts as decimal text.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum UsdAmount {
    Number(f64),
    Text(String),
}

impl UsdAmount {
    /// The amount in micro-dollars; `None` for one that is no number from 0 to a billion.
    pub fn micros(&self) -> Option<i64> {
        let dollars = match self {
            Self::Number(dollars) => *dollars,
            Self::Text(text) => text.parse().ok()?,
        };
        #[expect(clippy::cast_possible_truncation, reason = "it is bounded first")]
        (0.0..1e9).contains(&dollars).then(|| (dollars * 1e6).round() as i64)
    }
}

/// Micro-dollars as decimal text with six places, such as `0.004400`.
pub fn format_usd(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// A mean of micro-dollars as decimal text with six places.
#[expect(clippy::cast_possible_truncation, reason = "costs are far below what an i64 holds")]
pub fn format_mean_usd(micros: f64) -> String {
    format_usd(micros.round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_usage() -> impl Strategy<Value = Usage> {
        (0..i64::MAX, 0..i64::MAX, 0..i64::MAX, 0..i64::MAX, 0..i64::MAX).prop_map(|(a, b, c, d, e)| Usage {
            tokens_input: a,
            tokens_output: b,
            tokens_reasoning: c,
            tokens_cached: d,
            cost_micros: e,
        })
    }

    proptest! {
        #[test]
        fn a_repeated_or_late_observation_adds_nothing(a in any_usage(), b in any_usage()) {
            let once = a.highest(b);
            prop_assert_eq!(once.highest(a), once);
            prop_assert_eq!(once.highest(b), once);
            prop_assert_eq!(b.highest(a), once);
        }
    }

    #[test]
    fn an_amount_is_a_number_or_decimal_text() {
        let micros = |json: &str| serde_json::from_str::<UsdAmount>(json).ok().and_then(|amount| amount.micros());
        assert_eq!((micros("0.031"), micros("\"0.031\""), micros("2")), (Some(31_000), Some(31_000), Some(2_000_000)));
        for wrong in ["-1", "\"-1\"", "\"a lot\"", "\"NaN\"", "1e12", "true", "[]"] {
            assert_eq!(micros(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn money_is_decimal_text_with_six_places() {
        assert_eq!(format_usd(4_400), "0.004400");
        assert_eq!(format_usd(-12_000_001), "-12.000001");
        assert_eq!(format_usd(i64::MIN), "-9223372036854.775808");
    }
}
