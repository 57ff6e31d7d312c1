//! Tokens with which runners enrol in a pool, and what a lead asks for.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    agents::registry::string_enum,
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Result, ValidationErrors},
        id::RunnerEnrolmentId,
    },
};

use super::is_pool;

/// The longest and the default validity of an enrolment, in seconds.
pub const MAX_VALIDITY: i64 = 3600;

/// The most enrolments of a tenant that are valid at once.
pub const MAX_ENROLMENTS: i64 = 200;

string_enum! {
    /// How many runners may enrol with a token.
    EnrolmentUses {
        /// One runner.
        One "one"
        /// Any number of runners until it expires.
        Many "many"
    }
}

/// An enrolment, without its token.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RunnerEnrolment)]
pub struct Enrolment {
    /// The id of the enrolment.
    pub id: RunnerEnrolmentId,
    /// The pool that runners join with it.
    pub pool: String,
    /// How many runners may enrol with it.
    pub uses: EnrolmentUses,
    /// How many runners have enrolled with it.
    pub runners: i32,
    /// When it expires.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Time,
    /// The creator of the enrolment.
    pub created_by: Actor,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

/// A valid request for an enrolment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnrolmentRequest {
    pub pool: String,
    pub uses: EnrolmentUses,
    pub validity: TimeDelta,
}

impl EnrolmentRequest {
    pub fn parse(pool: String, uses: Option<EnrolmentUses>, seconds: Option<i64>) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if !is_pool(&pool) {
            refused.add("pool", "must have 1 to 40 characters of a-z 0-9 - and begin with a letter or digit");
        }
        let seconds = seconds.unwrap_or(MAX_VALIDITY);
        if !(1..=MAX_VALIDITY).contains(&seconds) {
            refused.add("expires_in_seconds", format!("must be 1 to {MAX_VALIDITY}"));
        }
        refused.into_result()?;
        Ok(Self { pool, uses: uses.unwrap_or(EnrolmentUses::One), validity: TimeDelta::seconds(seconds) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_is_valid_for_an_hour_at_most() {
        let parse = |seconds| EnrolmentRequest::parse("farm".to_owned(), None, seconds);
        assert_eq!(parse(None).unwrap().validity, TimeDelta::hours(1));
        assert_eq!(parse(None).unwrap().uses, EnrolmentUses::One);
        assert!(parse(Some(1)).is_ok() && parse(Some(3600)).is_ok());
        for seconds in [0, -1, 3601] {
            assert_eq!(parse(Some(seconds)).unwrap_err().fields()[0].field, "expires_in_seconds");
        }
        let refused = EnrolmentRequest::parse("Farm".to_owned(), None, Some(0)).unwrap_err();
        assert_eq!(refused.fields().len(), 2, "every refused field is named");
    }
}
