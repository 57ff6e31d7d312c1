//! The input of callers for a training job, parsed once. Pure.

use crate::{
    kernel::{
        error::{Error, Result, ValidationErrors},
        text,
    },
    models::registry::Name,
    training::{
        datasets::{Recipe, recipe},
        trainers::{Method, Parameters, Provider},
    },
};

/// A training job, as sent.
#[derive(Default)]
pub struct TrainingJobInput {
    pub base_model: String,
    pub target_model_name: String,
    pub parameters: Option<Parameters>,
    pub provider: Option<Provider>,
    pub dataset: Option<recipe::RecipeInput>,
}

/// A valid training job.
#[derive(Clone, Debug)]
pub struct TrainingJobDraft {
    pub base_model: String,
    pub target_model_name: Name,
    pub parameters: Parameters,
    pub provider: Provider,
    pub recipe: Recipe,
}

impl TrainingJobDraft {
    /// Parses the input and reports all errors at once. `offered` are the available providers, the first of which is
    /// the default.
    pub fn parse(input: TrainingJobInput, offered: &[Provider]) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let refused = &mut refusals;
        let base_model = refused.check("base_model", text::parse_line(input.base_model, 1..=200));
        let target_model_name = refused.check("target_model_name", input.target_model_name.parse::<Name>());
        let parameters = input.parameters.unwrap_or_default();
        parameters.check(refused);
        let provider = refused.check("provider", self::choose_provider(input.provider, offered));
        if parameters.method == Method::Dpo && provider.is_some_and(|one| !one.makes_pairs()) {
            let why = "must be sft: dpo learns from pairs of a preferred and a rejected answer, and a dataset holds one answer \
                       to each prompt. A program of your own (provider command) may make the pairs itself";
            refused.add("parameters.method", why);
        }
        let recipe = Recipe::collect(input.dataset.unwrap_or_default(), "dataset.", refused);
        let draft =
            base_model.zip(target_model_name).zip(provider).map(|((base_model, target_model_name), provider)| Self {
                base_model,
                target_model_name,
                parameters,
                provider,
                recipe,
            });
        refusals.into_result()?;
        draft.ok_or_else(|| Error::internal("a draft without a refusal has all its fields"))
    }
}

fn choose_provider(asked: Option<Provider>, offered: &[Provider]) -> Result<Provider, String> {
    let known = asked.or(offered.first().copied()).filter(|one| offered.contains(one));
    known.ok_or_else(|| {
        let names: Vec<_> = offered.iter().map(|one| one.name()).collect();
        format!("is not offered here; one of: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_is_refused_is_named_at_once() {
        let input = TrainingJobInput {
            base_model: " tiny".to_owned(),
            target_model_name: "-x".to_owned(),
            parameters: Some(Parameters { epochs: 0, learning_rate: 2.0, ..Parameters::default() }),
            provider: Some(Provider::Simulated),
            dataset: Some(recipe::RecipeInput { min_success_rate: Some(2.0), ..recipe::RecipeInput::default() }),
        };
        let error = TrainingJobDraft::parse(input, &[Provider::Openai]).unwrap_err();
        let mut named: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
        named.sort_unstable();
        let all = [
            "base_model",
            "dataset.min_success_rate",
            "parameters.epochs",
            "parameters.learning_rate",
            "provider",
            "target_model_name",
        ];
        assert_eq!(named, all);
    }

    #[test]
    fn preferences_are_learnt_only_where_somebody_makes_the_pairs() {
        let parse = |provider| {
            let parameters = Some(Parameters { method: Method::Dpo, ..Parameters::default() });
            let (base_model, target_model_name) = ("tiny".to_owned(), "reviewer".to_owned());
            let input =
                TrainingJobInput { base_model, target_model_name, parameters, provider: Some(provider), dataset: None };
            TrainingJobDraft::parse(input, &Provider::ALL)
        };
        assert_eq!(parse(Provider::Command).unwrap().parameters.method, Method::Dpo);
        for provider in [Provider::Openai, Provider::Aws, Provider::Simulated] {
            let error = parse(provider).unwrap_err();
            assert_eq!(error.fields()[0].field, "parameters.method");
        }
    }

    #[test]
    fn a_job_that_names_no_provider_is_for_the_first_that_is_offered() {
        let input = || TrainingJobInput {
            base_model: "tiny".to_owned(),
            target_model_name: "reviewer".to_owned(),
            ..TrainingJobInput::default()
        };
        let draft = TrainingJobDraft::parse(input(), &[Provider::Simulated, Provider::Openai]).unwrap();
        assert_eq!(draft.provider, Provider::Simulated);
        assert_eq!(draft.parameters, Parameters::default());
        assert_eq!(TrainingJobDraft::parse(input(), &[]).unwrap_err().fields()[0].field, "provider");
    }
}
