//! What a runner sends when it registers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    agents::eap::server::VERSIONS,
    kernel::{
        error::{Result, ValidationErrors},
        text::parse_line,
    },
};

use super::{Isolation, MAX_SLOTS, RunnerProgram, is_program};

/// The most programs of one runner.
const MAX_PROGRAMS: usize = 20;

/// The most labels of one runner, and their longest value in characters.
const MAX_LABELS: usize = 50;
const MAX_LABEL: usize = 200;

/// The first version of the protocol with runners.
const FIRST_VERSION: &str = "1.1";

/// A runner to register.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRunner {
    /// The name of the runner, unique in its pool.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    pub name: String,
    /// The version of the runner's software.
    #[schema(min_length = 1, max_length = 100)]
    pub version: String,
    /// The operating system, such as `linux`.
    #[schema(min_length = 1, max_length = 100)]
    pub os: String,
    /// The architecture of the processor, such as `x86_64`.
    #[schema(min_length = 1, max_length = 100)]
    pub arch: String,
    /// Free-form labels, at most 50.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How many sessions it works on at once.
    #[schema(minimum = 1, maximum = 50)]
    pub slots: i64,
    /// How it separates sessions.
    pub isolation: Isolation,
    /// Why the isolation is not stronger.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub isolation_reason: Option<String>,
    /// The programs that it offers, 1 to 20.
    #[schema(min_items = 1, max_items = 20)]
    pub programs: Vec<RunnerProgram>,
    /// The version of the External Agent Protocol that it speaks: `1.1`.
    pub protocol_version: String,
}

/// A valid registration.
#[derive(Clone, Debug, PartialEq)]
pub struct RunnerRegistration {
    pub name: String,
    pub version: String,
    pub os: String,
    pub arch: String,
    pub labels: BTreeMap<String, String>,
    pub slots: i32,
    pub isolation: Isolation,
    pub isolation_reason: Option<String>,
    pub programs: Vec<RunnerProgram>,
    pub protocol_version: String,
}

impl RunnerRegistration {
    pub fn parse(new: NewRunner) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if new.protocol_version != FIRST_VERSION || !VERSIONS.contains(&FIRST_VERSION) {
            refused.add("protocol_version", format!("must be {FIRST_VERSION}"));
        }
        if !is_runner_name(&new.name) {
            refused.add("name", "must have 1 to 100 characters of A-Z a-z 0-9 . _ - and begin with a letter or digit");
        }
        let mut line = |field: &str, text: String| refused.check(field, parse_line(text, 1..=100)).unwrap_or_default();
        let (version, os, arch) = (line("version", new.version), line("os", new.os), line("arch", new.arch));
        let slots = i32::try_from(new.slots).ok().filter(|slots| (1..=MAX_SLOTS).contains(slots));
        let slots = refused.check("slots", slots.ok_or_else(|| format!("must be 1 to {MAX_SLOTS}")));
        check_labels(&mut refused, &new.labels);
        let reason = new.isolation_reason.filter(|reason| !reason.is_empty());
        if reason.as_ref().is_some_and(|reason| reason.chars().count() > 1000 || reason.contains('\0')) {
            refused.add("isolation_reason", "must have at most 1000 characters, none of them NUL");
        }
        check_programs(&mut refused, &new.programs);
        refused.into_result()?;
        Ok(Self {
            name: new.name,
            version,
            os,
            arch,
            labels: new.labels,
            slots: slots.unwrap_or(1),
            isolation: new.isolation,
            isolation_reason: reason,
            programs: new.programs,
            protocol_version: new.protocol_version,
        })
    }
}

fn is_runner_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn check_labels(refused: &mut ValidationErrors, labels: &BTreeMap<String, String>) {
    if labels.len() > MAX_LABELS {
        refused.add("labels", format!("must be at most {MAX_LABELS}"));
        return;
    }
    for (name, value) in labels {
        if !is_runner_name(name) {
            refused.add("labels", "must have names of 1 to 100 characters of A-Z a-z 0-9 . _ -");
        }
        if value.chars().count() > MAX_LABEL || value.contains('\0') {
            refused
                .add(format!("labels.{name}"), format!("must have at most {MAX_LABEL} characters, none of them NUL"));
        }
    }
}

fn check_programs(refused: &mut ValidationErrors, programs: &[RunnerProgram]) {
    if !(1..=MAX_PROGRAMS).contains(&programs.len()) {
        refused.add("programs", format!("must be 1 to {MAX_PROGRAMS}"));
        return;
    }
    let mut names = BTreeSet::new();
    for (at, RunnerProgram { program, version }) in programs.iter().enumerate() {
        if !is_program(program) {
            refused.add(format!("programs[{at}].program"), "must have 1 to 40 characters of a-z 0-9 _ -");
        }
        if !names.insert(program) {
            refused.add(format!("programs[{at}].program"), "is offered twice");
        }
        if let Some(version) = version {
            refused.check(&format!("programs[{at}].version"), parse_line(version.clone(), 1..=100));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(changed: &Value) -> Result<RunnerRegistration> {
        let mut body = json!({
            "name": "host-1.example", "version": "1", "os": "linux", "arch": "x86_64", "slots": 4,
            "isolation": "sandbox", "programs": [{"program": "opencode"}], "protocol_version": "1.1",
        });
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        RunnerRegistration::parse(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn a_registration_holds_at_the_edges_of_its_limits() {
        let labels: BTreeMap<_, _> = (0..50).map(|at| (format!("l{at}"), "x".repeat(200))).collect();
        for good in [
            json!({"slots": 1}),
            json!({"slots": 50}),
            json!({"name": "a".repeat(100)}),
            json!({"labels": labels}),
            json!({"isolation_reason": "x".repeat(1000)}),
            json!({"programs": [{"program": "a"}, {"program": "b", "version": "2"}]}),
        ] {
            assert!(parse(&good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_registration_beyond_a_limit_is_refused_with_the_field() {
        let programs: Vec<_> = (0..21).map(|at| json!({"program": format!("p{at}")})).collect();
        for (field, body) in [
            ("protocol_version", json!({"protocol_version": "1.0"})),
            ("name", json!({"name": ""})),
            ("name", json!({"name": "-a"})),
            ("version", json!({"version": ""})),
            ("slots", json!({"slots": 0})),
            ("slots", json!({"slots": 51})),
            ("labels.a", json!({"labels": {"a": "x".repeat(201)}})),
            ("isolation_reason", json!({"isolation_reason": "x".repeat(1001)})),
            ("programs", json!({"programs": []})),
            ("programs", json!({"programs": programs})),
            ("programs[0].program", json!({"programs": [{"program": "Open Code"}]})),
            ("programs[1].program", json!({"programs": [{"program": "a"}, {"program": "a"}]})),
        ] {
            assert_eq!(parse(&body).unwrap_err().fields()[0].field, field, "{body}");
        }
    }
}
