//! What the queries of lists have in common: values separated by commas, times, and how many; and what a null in a body
//! means.

use serde::{Deserialize, Deserializer};
use shared::kernel::{clock::Time, error::ValidationErrors};

/// How many a page of a list holds when nothing is said.
const PAGE: i64 = 50;

/// The most that a page of a list holds.
const LARGEST_PAGE: i64 = 200;

/// `limit`: how many are wanted at most.
pub(crate) fn parse_limit(refusals: &mut ValidationErrors, text: Option<String>) -> i64 {
    let limit: i64 = parse_one(refusals, "limit", text, "must be 1 to 200").unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        refusals.add("limit", "must be 1 to 200");
    }
    limit
}

/// Values separated by commas, each of a known set.
pub(crate) fn parse_list<T>(
    refusals: &mut ValidationErrors,
    field: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut values = Vec::new();
    for word in text.into_iter().flat_map(|text| text.split(',')).map(str::trim) {
        match parse(word) {
            Some(value) => values.push(value),
            None => refusals.add(field, "holds a value that there is not"),
        }
    }
    values
}

/// One value, if it was sent.
pub(crate) fn parse_one<T: std::str::FromStr>(
    refusals: &mut ValidationErrors,
    field: &str,
    text: Option<String>,
    refusal: &str,
) -> Option<T> {
    text.and_then(|text| refusals.check(field, text.parse().map_err(|_| refusal.to_owned())))
}

/// `q`: a fragment of a text; an empty one is none.
pub(crate) fn parse_fragment(refusals: &mut ValidationErrors, text: Option<String>) -> Option<String> {
    let text = text.filter(|text| !text.is_empty())?;
    if text.chars().count() > 200 || text.contains('\0') {
        refusals.add("q", "must have at most 200 characters, none of them NUL");
    }
    Some(text)
}

/// Distinguishes a null that was sent (`Some(None)`) from an absent field (`None`).
pub(crate) fn double_option<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A time in RFC 3339.
pub(crate) fn parse_time(refusals: &mut ValidationErrors, field: &str, text: Option<String>) -> Option<Time> {
    let parse = |text: String| {
        // In a query a plus sign reads as a blank.
        let text = text.replace(' ', "+");
        chrono::DateTime::parse_from_rfc3339(&text).map(Into::into).map_err(|_| "is not an RFC 3339 time".to_owned())
    };
    text.and_then(|text| refusals.check(field, parse(text)))
}
