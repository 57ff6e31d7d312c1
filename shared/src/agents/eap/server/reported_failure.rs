//! How an agent describes its own failure, besides the message: a code and a category.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::failure::Category;

/// The category of a failure that an agent reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedCategory {
    /// The agent itself failed.
    Agent,
    /// The input is invalid: the prompt, the workspace or the environment.
    User,
    /// A credential of the agent or its provider is missing or refused.
    Auth,
    /// A policy forbids it.
    Policy,
    /// A spend or token limit was reached.
    Budget,
    /// The model provider limits the rate.
    RateLimit,
    /// A time limit was exceeded.
    Timeout,
}

impl From<ReportedCategory> for Category {
    fn from(reported: ReportedCategory) -> Self {
        match reported {
            ReportedCategory::Agent => Self::Agent,
            ReportedCategory::User => Self::User,
            ReportedCategory::Auth => Self::Auth,
            ReportedCategory::Policy => Self::Policy,
            ReportedCategory::Budget => Self::Budget,
            ReportedCategory::RateLimit => Self::RateLimit,
            ReportedCategory::Timeout => Self::Timeout,
        }
    }
}

/// The longest wait for a provider, in seconds: a week.
const MAX_RETRY_AFTER: i64 = 7 * 24 * 3600;

/// Rejects a wait that no provider imposes.
pub(super) fn check_retry_after(seconds: Option<i64>, category: Option<ReportedCategory>) -> Result<(), String> {
    match (seconds, category) {
        (None, _) | (Some(1..=MAX_RETRY_AFTER), Some(ReportedCategory::RateLimit)) => Ok(()),
        (Some(1..=MAX_RETRY_AFTER), _) => Err("goes with the category `rate_limit`".to_owned()),
        (Some(_), _) => Err(format!("must be 1 to {MAX_RETRY_AFTER}")),
    }
}

/// Whether a text may be the code of a failure.
pub(super) fn is_error_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (3..=64).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|first: char| first.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded_and_goes_with_the_limit_of_a_provider() {
        let limit = Some(ReportedCategory::RateLimit);
        for (seconds, category, is_good) in [
            (None, None, true),
            (Some(1), limit, true),
            (Some(MAX_RETRY_AFTER), limit, true),
            (Some(0), limit, false),
            (Some(MAX_RETRY_AFTER + 1), limit, false),
            (Some(60), None, false),
            (Some(60), Some(ReportedCategory::Auth), false),
        ] {
            assert_eq!(check_retry_after(seconds, category).is_ok(), is_good, "{seconds:?} {category:?}");
        }
    }

    #[test]
    fn a_code_is_in_upper_case_and_begins_with_a_letter() {
        for good in ["ABC", "SETUP_FAILED", "E42", &"X".repeat(64)] {
            assert!(is_error_code(good), "{good}");
        }
        for wrong in ["", "AB", "setup_failed", "_AB", "4XX", "A B", "Ä42", &"X".repeat(65)] {
            assert!(!is_error_code(wrong), "{wrong}");
        }
    }
}
