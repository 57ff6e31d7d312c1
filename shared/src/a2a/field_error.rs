//! The error of the protocol for an invalid field. Pure.

use ::a2a::{A2AError, FieldViolation, TypedDetail};

/// The error for an invalid field.
pub fn invalid_field(field: &str, why: &str) -> A2AError {
    let violation = FieldViolation { field: field.to_owned(), description: why.to_owned() };
    A2AError::invalid_params(format!("{field} {why}")).with_details(vec![TypedDetail::bad_request(vec![violation])])
}
