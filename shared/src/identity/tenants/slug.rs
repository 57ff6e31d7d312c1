//! The form of a tenant's slug. Pure.

/// Whether a text has the form of a slug: 2 to 50 characters of `a-z`, `0-9` and `-`.
pub fn is_slug(text: &str) -> bool {
    (2..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
