//! The input of callers for an experiment, parsed once.

use crate::{
    kernel::{
        error::{Error, Result, ValidationErrors},
        session_type::SessionType,
    },
    models::registry::{Alias, Name, Reference, Target, identifier::model_identifier, name::REGISTRY},
};

use super::{Guardrail, MAX_ARMS, Metric};

/// An experiment, as sent.
#[derive(Clone, Debug, Default)]
pub struct ExperimentInput {
    pub name: String,
    pub description: Option<String>,
    pub target: Option<String>,
    pub session_type: Option<SessionType>,
    pub arms: Vec<ArmInput>,
    pub guardrails: Vec<Guardrail>,
}

#[derive(Clone, Debug, Default)]
pub struct ArmInput {
    pub name: String,
    pub model: String,
    pub weight: Option<i64>,
}

/// A valid experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct ExperimentDraft {
    pub name: Name,
    pub description: Option<String>,
    pub target: Option<Reference>,
    pub session_type: Option<SessionType>,
    pub arms: Vec<ArmDraft>,
    pub guardrails: Vec<Guardrail>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ArmDraft {
    pub name: Alias,
    pub model: String,
    pub weight: i32,
}

impl ExperimentDraft {
    /// Parses the input and reports all errors at once.
    pub fn parse(raw: ExperimentInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let refused = &mut refusals;
        let name = refused.check("name", raw.name.parse::<Name>());
        let fits = |text: &String| text.chars().count() <= 1000 && !text.contains('\0');
        if raw.description.as_ref().is_some_and(|text| !fits(text)) {
            refused.add("description", "must have at most 1000 characters, none of them NUL");
        }
        let target = raw.target.and_then(|text| refused.check("target", parse_target(&text)));
        if raw.session_type.is_some() && target.is_none() {
            refused.add("session_type", "narrows a target, and there is none");
        }
        let arms = parse_arms(raw.arms, refused);
        for (at, guardrail) in raw.guardrails.iter().enumerate() {
            check_guardrail(guardrail, at, refused);
        }
        if raw.guardrails.len() > 10 {
            refused.add("guardrails", "must be at most 10");
        }
        refusals.into_result()?;
        let name = name.ok_or_else(|| Error::internal("an experiment without a refusal has a name"))?;
        let ExperimentInput { description, session_type, guardrails, .. } = raw;
        Ok(Self { name, description, target, session_type, arms, guardrails })
    }
}

fn parse_target(text: &str) -> Result<Reference, String> {
    let reference: Reference = text.parse()?;
    match reference.target {
        Target::Alias(_) => Ok(reference),
        Target::Version(_) => Err("must name an alias, not a version".to_owned()),
    }
}

fn parse_arms(raw: Vec<ArmInput>, refused: &mut ValidationErrors) -> Vec<ArmDraft> {
    if !(2..=MAX_ARMS).contains(&raw.len()) {
        refused.add("arms", format!("must be 2 to {MAX_ARMS}"));
        return Vec::new();
    }
    let mut arms: Vec<ArmDraft> = Vec::with_capacity(raw.len());
    for (at, one) in raw.into_iter().enumerate() {
        let name = refused.check(&format!("arms[{at}].name"), one.name.parse::<Alias>());
        let model = refused.check(&format!("arms[{at}].model"), parse_model(one.model));
        let weight = refused.check(&format!("arms[{at}].weight"), parse_weight(one.weight.unwrap_or(1)));
        let taken = name.as_ref().is_some_and(|name| arms.iter().any(|arm| arm.name == *name));
        if taken {
            refused.add(format!("arms[{at}].name"), "is the name of another arm");
        }
        if let (Some(name), Some(model), Some(weight)) = (name, model, weight) {
            arms.push(ArmDraft { name, model, weight });
        }
    }
    arms
}

fn parse_model(text: String) -> Result<String, String> {
    if text.starts_with(crate::models::registry::name::EXPERIMENT) {
        return Err("must be a model: an experiment has none of its own".to_owned());
    }
    model_identifier(text)
}

fn parse_weight(weight: i64) -> Result<i32, String> {
    i32::try_from(weight).ok().filter(|weight| (1..=1000).contains(weight)).ok_or("must be 1 to 1000".to_owned())
}

fn check_guardrail(guardrail: &Guardrail, at: usize, refused: &mut ValidationErrors) {
    let most = if guardrail.metric == Metric::SuccessRate { 1.0 } else { 1e12 };
    if !(0.0..=most).contains(&guardrail.limit) {
        refused.add(format!("guardrails[{at}].limit"), format!("must be 0 to {most}"));
    }
    if !(1..=100_000).contains(&guardrail.min_sessions) {
        refused.add(format!("guardrails[{at}].min_sessions"), "must be 1 to 100000");
    }
}

/// Whether the text refers to a model of the registry.
pub fn parse_reference(model: &str) -> Option<Reference> {
    model.starts_with(REGISTRY).then(|| model.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_once() {
        let arm = |name: &str, model: &str, weight| ArmInput { name: name.to_owned(), model: model.to_owned(), weight };
        let raw = ExperimentInput {
            name: "a b".to_owned(),
            target: Some("registry/a@1.0.0".to_owned()),
            session_type: Some(SessionType::Review),
            arms: vec![
                arm("a", "a/b", Some(0)),
                arm("b", "experiment/x", None),
                arm("b", "a/b", Some(1001)),
                arm("b", "a/b", None),
            ],
            guardrails: vec![Guardrail { metric: Metric::SuccessRate, limit: 1.1, min_sessions: 0 }],
            ..ExperimentInput::default()
        };
        let error = ExperimentDraft::parse(raw).unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
        let expected = [
            "name",
            "target",
            "session_type",
            "arms[0].weight",
            "arms[1].model",
            "arms[2].weight",
            "guardrails[0].limit",
            "guardrails[0].min_sessions",
        ];
        assert_eq!(fields, expected);
        let twice = ExperimentInput {
            name: "x".to_owned(),
            arms: vec![arm("a", "a/b", None), arm("a", "a/c", None)],
            ..ExperimentInput::default()
        };
        assert_eq!(ExperimentDraft::parse(twice).unwrap_err().fields()[0].field, "arms[1].name");
        let one =
            ExperimentInput { name: "x".to_owned(), arms: vec![arm("a", "a/b", None)], ..ExperimentInput::default() };
        assert_eq!(ExperimentDraft::parse(one).unwrap_err().fields()[0].field, "arms");
    }
}
