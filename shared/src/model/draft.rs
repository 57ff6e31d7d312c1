//! What callers send of models, parsed once: a version that was trained elsewhere, notes, and what is known of a base model.

use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value};

use crate::{
    error::{Refusals, Result},
    session::draft::small_json,
    text,
    trainer::Metrics,
};

use super::{
    Name, Registration,
    name::{EXPERIMENT, REGISTRY},
};

/// A version that was trained elsewhere, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Raw {
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

impl Registration {
    /// Reads what was sent; refuses with all its faults at once.
    pub fn parse(raw: Raw) -> Result<Self> {
        let mut refusals = Refusals::default();
        let refused = &mut refusals;
        let name = refused.take("name", raw.name.parse::<Name>());
        let version = raw.version.and_then(|text| refused.take("version", version(&text)));
        let base_model = refused.take("base_model", text::line(raw.base_model, 1..=200));
        let model_identifier = raw.model_identifier.and_then(|text| refused.take("model_identifier", served(text)));
        let artifact = raw.artifact.and_then(|text| refused.take("artifact", text::line(text, 1..=2000)));
        let provider = raw.provider.and_then(|text| refused.take("provider", text::line(text, 1..=50)));
        let parameters = raw.parameters.unwrap_or_default();
        refused.take("parameters", small_json(&parameters));
        check_metrics(&raw.metrics, refused);
        let notes = raw.notes.and_then(|text| refused.take("notes", notes(text)));
        refusals.finish()?;
        let missing = || crate::error::Error::internal("a registration without a refusal has a name and a base model");
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

fn version(text: &str) -> Result<super::Version, String> {
    let version: super::Version = text.parse()?;
    if version.may_be_chosen() { Ok(version) } else { Err("each number must be at most 999999".to_owned()) }
}

/// How agents name a model: as sessions do, and with the colons that providers have in the names of what they trained.
fn served(text: String) -> Result<String, String> {
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

fn check_metrics(metrics: &Metrics, refused: &mut Refusals) {
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
pub fn notes(text: String) -> Result<String, String> {
    limited(text, 4000)
}

/// A text of several lines.
fn limited(text: String, most: usize) -> Result<String, String> {
    if text.chars().count() > most || text.contains('\0') {
        return Err(format!("must have at most {most} characters, none of them NUL"));
    }
    Ok(text)
}

/// What is known of a base model.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseModelDraft {
    pub name: String,
    pub retires_on: Option<NaiveDate>,
    pub note: Option<String>,
}

impl BaseModelDraft {
    pub fn parse(name: String, retires_on: Option<NaiveDate>, note: Option<String>) -> Result<Self> {
        let mut refused = Refusals::default();
        let name = refused.take("base_model", text::line(name, 1..=200)).unwrap_or_default();
        if retires_on.is_some_and(|day| !(2000..=2199).contains(&day.year())) {
            refused.add("retires_on", "must be of this century or the next");
        }
        let note = note.and_then(|text| refused.take("note", limited(text, 1000)));
        refused.finish()?;
        Ok(Self { name, retires_on, note })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_once() {
        let raw = Raw {
            name: "a b".to_owned(),
            version: Some("1.0".to_owned()),
            base_model: " ".to_owned(),
            model_identifier: Some("registry/a@b".to_owned()),
            metrics: Metrics { accuracy: Some(1.1), final_loss: Some(-0.1), ..Metrics::default() },
            notes: Some("\0".to_owned()),
            ..Raw::default()
        };
        let error = Registration::parse(raw).unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
        let expected =
            ["name", "version", "base_model", "model_identifier", "metrics.final_loss", "metrics.accuracy", "notes"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_agents_are_told_may_hold_colons_and_is_never_a_reference_itself() {
        assert!(served("openai/ft:gpt-4o:acme::abc".to_owned()).is_ok());
        for wrong in ["gpt", "registry/a", "experiment/a", "a//b", "a/b c", "/a"] {
            assert!(served(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
