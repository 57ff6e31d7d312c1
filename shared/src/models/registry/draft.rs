//! The input of callers, parsed once: externally trained versions, notes, and facts about base models.

use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value};

use crate::{
    kernel::{
        error::{Result, ValidationErrors},
        text,
        validation::small_json,
    },
    models::registry::metrics::Metrics,
};

use super::{
    ModelVersionRegistration, Name,
    name::{EXPERIMENT, REGISTRY},
};

/// An externally trained version, as sent.
#[derive(Clone, Debug, Default)]
pub struct ModelVersionInput {
    pub name: String,
    pub version: Option<String>,
    pub base_model: String,
    pub model_identifier: Option<String>,
    pub artifact: Option<String>,
    pub provider: Option<String>,
    pub parameters: Option<Map<String, Value>>,
    pub metrics: Metrics,
    pub notes: Option<String>,
}

impl ModelVersionRegistration {
    /// Parses the input and reports all errors at once.
    pub fn parse(raw: ModelVersionInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let refused = &mut refusals;
        let name = refused.check("name", raw.name.parse::<Name>());
        let version = raw.version.and_then(|text| refused.check("version", parse_version(&text)));
        let base_model = refused.check("base_model", text::parse_line(raw.base_model, 1..=200));
        let model_identifier =
            raw.model_identifier.and_then(|text| refused.check("model_identifier", parse_served_name(text)));
        let artifact = raw.artifact.and_then(|text| refused.check("artifact", text::parse_line(text, 1..=2000)));
        let provider = raw.provider.and_then(|text| refused.check("provider", text::parse_line(text, 1..=50)));
        let parameters = raw.parameters.unwrap_or_default();
        refused.check("parameters", small_json(&parameters));
        check_metrics(&raw.metrics, refused);
        let notes = raw.notes.and_then(|text| refused.check("notes", parse_notes(text)));
        refusals.into_result()?;
        let missing =
            || crate::kernel::error::Error::internal("a registration without a refusal has a name and a base model");
        Ok(Self {
            name: name.ok_or_else(missing)?,
            version,
            base_model: base_model.ok_or_else(missing)?,
            job_id: None,
            dataset_id: None,
            dataset_sha256: None,
            recipe_hash: None,
            parameters,
            provider,
            model_identifier,
            artifact,
            metrics: raw.metrics,
            cost_micros: None,
            notes,
        })
    }
}

fn parse_version(text: &str) -> Result<super::Version, String> {
    let version: super::Version = text.parse()?;
    if version.may_be_chosen() { Ok(version) } else { Err("each number must be at most 999999".to_owned()) }
}

/// A model name for agents: as in sessions, and with the colons that providers use in names of trained models.
fn parse_served_name(text: String) -> Result<String, String> {
    let part = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b':'))
    };
    let shaped = text.split_once('/').is_some_and(|(provider, model)| part(provider) && model.split('/').all(part));
    let own = text.starts_with(REGISTRY) || text.starts_with(EXPERIMENT);
    if shaped && !own && text.len() <= 300 {
        Ok(text)
    } else {
        Err("must be provider/model as an agent knows it, each part of A-Z a-z 0-9 _ . - :".to_owned())
    }
}

fn check_metrics(metrics: &Metrics, refused: &mut ValidationErrors) {
    for (field, value) in [
        ("metrics.final_loss", metrics.final_loss),
        ("metrics.eval_loss", metrics.eval_loss),
        ("metrics.training_duration_seconds", metrics.training_duration_seconds),
    ] {
        if value.is_some_and(|value| !(value >= 0.0 && value.is_finite())) {
            refused.add(field, "must not be below 0");
        }
    }
    if metrics.accuracy.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        refused.add("metrics.accuracy", "must be 0 to 1");
    }
    if metrics.tokens_processed.is_some_and(|count| count < 0) {
        refused.add("metrics.tokens_processed", "must not be below 0");
    }
}

/// Notes on a version.
pub fn parse_notes(text: String) -> Result<String, String> {
    parse_limited(text, 4000)
}

/// A text of several lines.
fn parse_limited(text: String, most: usize) -> Result<String, String> {
    if text.chars().count() > most || text.contains('\0') {
        return Err(format!("must have at most {most} characters, none of them NUL"));
    }
    Ok(text)
}

/// Facts about a base model.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseModelDraft {
    pub name: String,
    pub retires_on: Option<NaiveDate>,
    pub note: Option<String>,
}

impl BaseModelDraft {
    pub fn parse(name: String, retires_on: Option<NaiveDate>, note: Option<String>) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        let name = refused.check("base_model", text::parse_line(name, 1..=200)).unwrap_or_default();
        if retires_on.is_some_and(|day| !(2000..=2199).contains(&day.year())) {
            refused.add("retires_on", "must be of this century or the next");
        }
        let note = note.and_then(|text| refused.check("note", parse_limited(text, 1000)));
        refused.into_result()?;
        Ok(Self { name, retires_on, note })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_once() {
        let raw = ModelVersionInput {
            name: "a b".to_owned(),
            version: Some("1.0".to_owned()),
            base_model: " ".to_owned(),
            model_identifier: Some("registry/a@b".to_owned()),
            metrics: Metrics { accuracy: Some(1.1), final_loss: Some(-0.1), ..Metrics::default() },
            notes: Some("\0".to_owned()),
            ..ModelVersionInput::default()
        };
        let error = ModelVersionRegistration::parse(raw).unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
        let expected =
            ["name", "version", "base_model", "model_identifier", "metrics.final_loss", "metrics.accuracy", "notes"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_model_identifier_may_contain_colons_and_is_never_a_reference() {
        assert!(parse_served_name("openai/ft:gpt-4o:acme::abc".to_owned()).is_ok());
        for wrong in ["gpt", "registry/a", "experiment/a", "a//b", "a/b c", "/a"] {
            assert!(parse_served_name(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
