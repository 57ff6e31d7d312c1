//! What callers send of a tenant, parsed once. Pure.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::{
    auth::Role,
    error::{Refusals, Result},
    id::TenantId,
    session::draft::small_json,
    text,
};

use super::{Admission, Tenant};

/// The fields as they came; what is absent is not to be changed.
#[derive(Debug, Default)]
pub struct Raw {
    pub name: Option<String>,
    pub max_concurrent_sessions: Option<i64>,
    pub max_queued_sessions: Option<i64>,
    pub max_tokens_per_month: Option<i64>,
    pub admission: Option<Admission>,
    pub signup: Option<bool>,
    pub signup_role: Option<Role>,
    pub audit_retention_days: Option<i64>,
    pub calls_per_minute: Option<Option<i64>>,
    pub training_consent: Option<bool>,
    pub metadata: Option<Map<String, Value>>,
    pub is_active: Option<bool>,
}

/// A change to a tenant that keeps every rule.
#[derive(Debug, Default)]
pub struct Patch {
    name: Option<String>,
    max_concurrent_sessions: Option<i32>,
    max_queued_sessions: Option<i32>,
    max_tokens_per_month: Option<i64>,
    admission: Option<Admission>,
    signup: Option<bool>,
    signup_role: Option<Role>,
    audit_retention_days: Option<i32>,
    calls_per_minute: Option<Option<i32>>,
    training_consent: Option<bool>,
    metadata: Option<Map<String, Value>>,
    pub is_active: Option<bool>,
}

impl Patch {
    pub fn parse(raw: Raw) -> Result<Self> {
        let mut refusals = Refusals::default();
        let patch = Self::collect(raw, &mut refusals);
        refusals.finish()?;
        Ok(patch)
    }

    /// A tenant to be made: its slug, and what differs from the defaults.
    pub fn parse_new(slug: String, raw: Raw) -> Result<(String, Self)> {
        let mut refusals = Refusals::default();
        let patch = Self::collect(raw, &mut refusals);
        let slug = refusals.take("slug", self::slug(slug)).unwrap_or_default();
        refusals.finish()?;
        Ok((slug, patch))
    }

    fn collect(raw: Raw, refused: &mut Refusals) -> Self {
        let mut small = |field: &str, value: Option<i64>, range: RangeInclusive<i32>| {
            let message = format!("must be {} to {}", range.start(), range.end());
            let fits = |value: i64| i32::try_from(value).ok().filter(|value| range.contains(value)).ok_or(message);
            value.and_then(|value| refused.take(field, fits(value)))
        };
        let max_concurrent_sessions = small("max_concurrent_sessions", raw.max_concurrent_sessions, 0..=100_000);
        let max_queued_sessions = small("max_queued_sessions", raw.max_queued_sessions, 0..=1_000_000);
        let calls = raw.calls_per_minute.flatten();
        let calls_per_minute = small("calls_per_minute", calls, 0..=10_000_000);
        Self {
            max_concurrent_sessions,
            max_queued_sessions,
            calls_per_minute: raw.calls_per_minute.map(|_| calls_per_minute),
            name: raw.name.and_then(|name| refused.take("name", text::line(name, 2..=100))),
            max_tokens_per_month: raw
                .max_tokens_per_month
                .and_then(|tokens| refused.take("max_tokens_per_month", not_negative(tokens))),
            admission: raw.admission,
            signup: raw.signup,
            signup_role: raw.signup_role.and_then(|role| refused.take("signup_role", signup_role(role))),
            audit_retention_days: raw
                .audit_retention_days
                .and_then(|days| refused.take("audit_retention_days", retention(days))),
            training_consent: raw.training_consent,
            metadata: raw.metadata.and_then(|map| refused.take("metadata", small_json(&map).map(|()| map))),
            is_active: raw.is_active,
        }
    }

    /// Changes what was sent, and nothing else.
    pub fn apply(self, tenant: &mut Tenant) {
        let (limits, settings) = (&mut tenant.limits, &mut tenant.settings);
        set(&mut tenant.name, self.name);
        set(&mut limits.max_concurrent_sessions, self.max_concurrent_sessions);
        set(&mut limits.max_queued_sessions, self.max_queued_sessions);
        set(&mut limits.max_tokens_per_month, self.max_tokens_per_month);
        set(&mut limits.admission, self.admission);
        set(&mut settings.signup, self.signup);
        set(&mut settings.signup_role, self.signup_role);
        set(&mut settings.audit_retention_days, self.audit_retention_days);
        set(&mut settings.calls_per_minute, self.calls_per_minute);
        set(&mut settings.training_consent, self.training_consent);
        set(&mut settings.metadata, self.metadata);
        set(&mut tenant.is_active, self.is_active);
    }
}

fn set<T>(field: &mut T, sent: Option<T>) {
    if let Some(value) = sent {
        *field = value;
    }
}

/// A slug is refused, never repaired: two callers who mean one tenant write the same bytes. Nor may it look like the id of
/// a tenant, because both are taken for a name.
pub fn slug(text: String) -> Result<String, String> {
    if text.parse::<TenantId>().is_ok() {
        return Err("must not have the form of a uuid".to_owned());
    }
    let fits = (2..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(text) } else { Err("must have 2 to 50 characters of a-z, 0-9 and -".to_owned()) }
}

fn not_negative(value: i64) -> Result<i64, String> {
    if value >= 0 { Ok(value) } else { Err("must be 0 or more; 0 = unlimited".to_owned()) }
}

fn signup_role(role: Role) -> Result<Role, String> {
    if role < Role::Admin { Ok(role) } else { Err("must be viewer, member or lead".to_owned()) }
}

fn retention(days: i64) -> Result<i32, String> {
    let days = i32::try_from(days).ok().filter(|days| *days == 0 || (30..=3650).contains(days));
    days.ok_or_else(|| "must be 0 (for ever), or 30 to 3650".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_slug_is_taken_as_it_is_or_refused(text in "\\PC{0,60}|[a-z0-9-]{0,60}") {
            let fits = (2..=50).contains(&text.len())
                && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
            prop_assert_eq!(slug(text.clone()).ok(), fits.then_some(text));
        }
    }

    #[test]
    fn every_field_that_is_refused_is_named() {
        let raw = Raw {
            name: Some("a".to_owned()),
            max_concurrent_sessions: Some(-1),
            max_queued_sessions: Some(i64::MAX),
            max_tokens_per_month: Some(-1),
            signup_role: Some(Role::Admin),
            audit_retention_days: Some(29),
            calls_per_minute: Some(Some(-1)),
            ..Raw::default()
        };
        let error = Patch::parse_new("Odd".to_owned(), raw).unwrap_err();
        let mut named: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
        named.sort_unstable();
        let all = [
            "audit_retention_days",
            "calls_per_minute",
            "max_concurrent_sessions",
            "max_queued_sessions",
            "max_tokens_per_month",
            "name",
            "signup_role",
            "slug",
        ];
        assert_eq!(named, all);
    }
}
