//! The input to create or change a tenant, and its validation. Pure.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::{
    identity::auth::Role,
    kernel::{
        error::{Result, ValidationErrors},
        id::TenantId,
        text,
        validation::small_json,
    },
};

use super::{Admission, QuotaOverrides, Tenant, slug::is_slug};

/// The unchecked input. Absent fields stay unchanged.
#[derive(Debug, Default)]
pub struct TenantInput {
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
    pub quotas: Option<QuotaOverrides>,
    pub require_conformance: Option<bool>,
    pub metadata: Option<Map<String, Value>>,
    pub is_active: Option<bool>,
}

/// A validated change to a tenant.
#[derive(Debug, Default)]
pub struct TenantChanges {
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
    quotas: Option<QuotaOverrides>,
    require_conformance: Option<bool>,
    metadata: Option<Map<String, Value>>,
    pub is_active: Option<bool>,
}

impl TenantChanges {
    pub fn parse(input: TenantInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let patch = Self::validate(input, &mut refusals);
        refusals.into_result()?;
        Ok(patch)
    }

    /// Validates the input of a new tenant: its slug, and the fields that differ from the defaults.
    pub fn parse_new(slug: String, input: TenantInput) -> Result<(String, Self)> {
        let mut refusals = ValidationErrors::default();
        let patch = Self::validate(input, &mut refusals);
        let slug = refusals.check("slug", parse_slug(slug)).unwrap_or_default();
        refusals.into_result()?;
        Ok((slug, patch))
    }

    fn validate(input: TenantInput, refused: &mut ValidationErrors) -> Self {
        let mut bounded = |field: &str, value: Option<i64>, range: RangeInclusive<i32>| {
            let message = format!("must be {} to {}", range.start(), range.end());
            let fits = |value: i64| i32::try_from(value).ok().filter(|value| range.contains(value)).ok_or(message);
            value.and_then(|value| refused.check(field, fits(value)))
        };
        let max_concurrent_sessions = bounded("max_concurrent_sessions", input.max_concurrent_sessions, 0..=100_000);
        let max_queued_sessions = bounded("max_queued_sessions", input.max_queued_sessions, 0..=1_000_000);
        let calls = input.calls_per_minute.flatten();
        let calls_per_minute = bounded("calls_per_minute", calls, 0..=10_000_000);
        input.quotas.iter().for_each(|quotas| quotas.validate(refused));
        Self {
            max_concurrent_sessions,
            max_queued_sessions,
            calls_per_minute: input.calls_per_minute.map(|_| calls_per_minute),
            name: input.name.and_then(|name| refused.check("name", text::parse_line(name, 2..=100))),
            max_tokens_per_month: input
                .max_tokens_per_month
                .and_then(|tokens| refused.check("max_tokens_per_month", parse_token_limit(tokens))),
            admission: input.admission,
            signup: input.signup,
            signup_role: input.signup_role.and_then(|role| refused.check("signup_role", parse_signup_role(role))),
            audit_retention_days: input
                .audit_retention_days
                .and_then(|days| refused.check("audit_retention_days", parse_retention(days))),
            training_consent: input.training_consent,
            quotas: input.quotas,
            require_conformance: input.require_conformance,
            metadata: input.metadata.and_then(|map| refused.check("metadata", small_json(&map).map(|()| map))),
            is_active: input.is_active,
        }
    }

    /// Sets the fields that are present.
    pub fn apply(self, tenant: &mut Tenant) {
        let (limits, settings) = (&mut tenant.limits, &mut tenant.settings);
        replace_if_sent(&mut tenant.name, self.name);
        replace_if_sent(&mut limits.max_concurrent_sessions, self.max_concurrent_sessions);
        replace_if_sent(&mut limits.max_queued_sessions, self.max_queued_sessions);
        replace_if_sent(&mut limits.max_tokens_per_month, self.max_tokens_per_month);
        replace_if_sent(&mut limits.admission, self.admission);
        replace_if_sent(&mut settings.signup, self.signup);
        replace_if_sent(&mut settings.signup_role, self.signup_role);
        replace_if_sent(&mut settings.audit_retention_days, self.audit_retention_days);
        replace_if_sent(&mut settings.calls_per_minute, self.calls_per_minute);
        replace_if_sent(&mut settings.training_consent, self.training_consent);
        replace_if_sent(&mut settings.quotas, self.quotas);
        replace_if_sent(&mut settings.require_conformance, self.require_conformance);
        replace_if_sent(&mut settings.metadata, self.metadata);
        replace_if_sent(&mut tenant.is_active, self.is_active);
    }
}

fn replace_if_sent<T>(field: &mut T, sent: Option<T>) {
    if let Some(value) = sent {
        *field = value;
    }
}

/// Validates a slug. An invalid slug is refused, never normalized, so that a tenant has exactly one. It must not look
/// like the id of a tenant, as `X-Tenant-ID` accepts both.
pub fn parse_slug(text: String) -> Result<String, String> {
    if text.parse::<TenantId>().is_ok() {
        return Err("must not have the form of a uuid".to_owned());
    }
    // The path of push notifications stands where a tenant's A2A agent would.
    if text == "push-notifications" {
        return Err("is reserved".to_owned());
    }
    if is_slug(&text) { Ok(text) } else { Err("must have 2 to 50 characters of a-z, 0-9 and -".to_owned()) }
}

fn parse_token_limit(value: i64) -> Result<i64, String> {
    if value >= 0 { Ok(value) } else { Err("must be 0 or more; 0 = unlimited".to_owned()) }
}

fn parse_signup_role(role: Role) -> Result<Role, String> {
    if role < Role::Admin { Ok(role) } else { Err("must be viewer, member or lead".to_owned()) }
}

fn parse_retention(days: i64) -> Result<i32, String> {
    let days = i32::try_from(days).ok().filter(|days| *days == 0 || (30..=3650).contains(days));
    days.ok_or_else(|| "must be 0 (forever), or 30 to 3650".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_slug_is_accepted_unchanged_or_refused(text in "\\PC{0,60}|[a-z0-9-]{0,60}") {
            let fits = (2..=50).contains(&text.len())
                && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
            prop_assert_eq!(parse_slug(text.clone()).ok(), fits.then_some(text));
        }
    }

    #[test]
    fn every_invalid_field_is_named() {
        let input = TenantInput {
            name: Some("a".to_owned()),
            max_concurrent_sessions: Some(-1),
            max_queued_sessions: Some(i64::MAX),
            max_tokens_per_month: Some(-1),
            signup_role: Some(Role::Admin),
            audit_retention_days: Some(29),
            calls_per_minute: Some(Some(-1)),
            ..TenantInput::default()
        };
        let error = TenantChanges::parse_new("Odd".to_owned(), input).unwrap_err();
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
