//! Corrections of what is counted as a tenant's usage of the month, by a person.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    error::{Result, ValidationErrors},
    id::TenantId,
    text,
};

/// The largest correction, in tokens.
const MAX_TOKENS: i64 = 1_000_000_000_000_000;

/// A valid correction of the tokens that a tenant used this month.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageCorrection {
    /// How many tokens are added; negative: taken away.
    pub tokens: i64,
    pub reason: String,
}

impl UsageCorrection {
    pub fn parse(tokens: i64, reason: String) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        if tokens == 0 || !(-MAX_TOKENS..=MAX_TOKENS).contains(&tokens) {
            refusals.add("tokens", format!("must be -{MAX_TOKENS} to {MAX_TOKENS}, and not 0"));
        }
        let reason = refusals.check("reason", text::parse_line(reason, 1..=500));
        refusals.into_result()?;
        Ok(Self { tokens, reason: reason.unwrap_or_default() })
    }
}

/// The usage of a tenant after a correction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CorrectedUsage {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The first day of the month, in UTC.
    #[schema(value_type = String, format = Date)]
    pub month: NaiveDate,
    /// The tokens that count as used this month.
    pub tokens_this_month: i64,
    /// The largest number of tokens per month; 0 means unlimited.
    pub max_tokens_per_month: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_changes_something_and_says_why() {
        let parse = |tokens, reason: &str| UsageCorrection::parse(tokens, reason.to_owned());
        assert_eq!(parse(-5, "A claim.").unwrap(), UsageCorrection { tokens: -5, reason: "A claim.".to_owned() });
        for (tokens, reason, field) in
            [(0, "x", "tokens"), (i64::MIN, "x", "tokens"), (i64::MAX, "x", "tokens"), (1, " ", "reason")]
        {
            assert_eq!(parse(tokens, reason).unwrap_err().fields()[0].field, field);
        }
    }
}
