//! The recipe of a dataset, parsed once: which sessions, how many, and the format. Pure.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    kernel::{
        clock::Time,
        error::{Result, ValidationErrors},
        id::SessionId,
        session_type::SessionType,
    },
    models::registry::identifier::model_identifier,
    sessions::fields,
};

use super::left_out::ExclusionCause;

/// The most samples of a dataset. It bounds the memory of the duplicate detection.
pub const MOST_SAMPLES: i64 = 100_000;

/// The longest system prompt, in characters.
const LONGEST_SYSTEM_PROMPT: usize = 10_000;

/// The format of a sample.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DatasetFormat)]
pub enum DatasetFormat {
    /// A conversation: `{"messages": [{"role", "content"}...], "metadata"}`.
    #[default]
    Messages,
    /// One turn: `{"instruction", "input", "output", "metadata"}`.
    Instruction,
}

/// The selection of sessions for a dataset and the format of the samples. All fields are optional.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DatasetRecipe)]
pub struct RecipeInput {
    /// The smallest success rate of a session. Default: 0.9. A session without a success rate counts as 1.
    #[schema(minimum = 0, maximum = 1)]
    pub min_success_rate: Option<f64>,
    /// Only sessions of this type.
    pub session_type: Option<SessionType>,
    /// Only sessions with any of these tags; empty means all sessions.
    #[schema(max_items = 20)]
    pub tags: Option<Vec<String>>,
    /// Only sessions that named this model, as `provider/model`.
    #[schema(max_length = 200)]
    pub model: Option<String>,
    /// Only sessions that ended at this time or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<String>,
    /// Only sessions that ended before this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<String>,
    /// The largest number of samples; the newest are taken. Default: 100000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub limit: Option<i64>,
    /// The format of the samples. Default: `messages`.
    pub format: Option<DatasetFormat>,
    /// The smallest number of samples; with fewer the job fails with `TOO_FEW_SAMPLES`. Default: 1.
    #[schema(minimum = 1, maximum = 100_000)]
    pub min_samples: Option<i64>,
    /// The system message of each sample. Only for the format `messages`.
    #[schema(min_length = 1, max_length = 10_000)]
    pub system_prompt: Option<String>,
}

/// The recipe of a dataset, with all defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetRecipeView)]
pub struct Recipe {
    /// The smallest success rate of a session.
    pub min_success_rate: f64,
    /// Only sessions of this type; null means all.
    pub session_type: Option<SessionType>,
    /// Only sessions with any of these tags; empty means all.
    pub tags: Vec<String>,
    /// Only sessions that named this model; null means all.
    pub model: Option<String>,
    /// Only sessions that ended at this time or later; null means all.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Time>,
    /// Only sessions that ended before this time; null means all.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Time>,
    /// The largest number of samples.
    pub limit: i64,
    /// The format of the samples.
    pub format: DatasetFormat,
    /// The smallest number of samples.
    pub min_samples: i64,
    /// The system message of each sample; null means none.
    pub system_prompt: Option<String>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            min_success_rate: 0.9,
            session_type: None,
            tags: Vec::new(),
            model: None,
            since: None,
            until: None,
            limit: MOST_SAMPLES,
            format: DatasetFormat::default(),
            min_samples: 1,
            system_prompt: None,
        }
    }
}

/// The facts about a completed session that a recipe selects by.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleCandidate {
    pub id: SessionId,
    pub root_id: SessionId,
    pub session_type: SessionType,
    pub tags: Vec<String>,
    pub model: Option<String>,
    pub ended_at: Time,
    /// The success rate of its outcome.
    pub success_rate: Option<f64>,
}

impl SampleCandidate {
    /// The success rate that counts: 1 if the outcome has none.
    pub fn success(&self) -> f64 {
        self.success_rate.unwrap_or(1.0)
    }
}

impl Recipe {
    /// Parses the input and reports all errors at once.
    pub fn parse(input: RecipeInput) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        let recipe = Self::collect(input, "", &mut refused);
        refused.into_result()?;
        Ok(recipe)
    }

    /// Parses a recipe inside a larger input: field names get the `prefix`, such as `dataset.`. Invalid fields get
    /// their defaults.
    pub fn collect(input: RecipeInput, prefix: &str, refused: &mut ValidationErrors) -> Self {
        let named = |field: &str| format!("{prefix}{field}");
        let default = Self::default();
        let samples = 1..=MOST_SAMPLES;
        let format = input.format.unwrap_or_default();
        let since = input.since.and_then(|text| refused.check(&named("since"), parse_time(&text)));
        let until = input.until.and_then(|text| refused.check(&named("until"), parse_time(&text)));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            refused.add(named("until"), "must be after since");
        }
        let mut tags =
            refused.check(&named("tags"), fields::parse_tags(input.tags.unwrap_or_default())).unwrap_or_default();
        tags.sort_unstable();
        let system_prompt =
            input.system_prompt.and_then(|text| refused.check(&named("system_prompt"), system_prompt(text, format)));
        Self {
            min_success_rate: input
                .min_success_rate
                .and_then(|rate| refused.check(&named("min_success_rate"), parse_share(rate)))
                .unwrap_or(default.min_success_rate),
            session_type: input.session_type,
            tags,
            model: input.model.and_then(|model| refused.check(&named("model"), model_identifier(model))),
            since,
            until,
            limit: input
                .limit
                .and_then(|limit| refused.check(&named("limit"), parse_within(limit, &samples)))
                .unwrap_or(default.limit),
            format,
            min_samples: input
                .min_samples
                .and_then(|least| refused.check(&named("min_samples"), parse_within(least, &samples)))
                .unwrap_or(default.min_samples),
            system_prompt,
        }
    }

    /// Why a session is not selected, as far as its row shows.
    pub fn reason_to_leave_out(&self, candidate: &SampleCandidate) -> Option<ExclusionCause> {
        let other_type = self.session_type.is_some_and(|wanted| wanted != candidate.session_type);
        let other_tags = !self.tags.is_empty() && !candidate.tags.iter().any(|tag| self.tags.contains(tag));
        let other_model = self.model.is_some() && self.model != candidate.model;
        let too_old = self.since.is_some_and(|since| candidate.ended_at < since);
        let too_new = self.until.is_some_and(|until| candidate.ended_at >= until);
        if other_type || other_tags || other_model || too_old || too_new {
            return Some(ExclusionCause::Filtered);
        }
        (candidate.success() < self.min_success_rate).then_some(ExclusionCause::TooLowSuccess)
    }

    /// The identity of a recipe: the SHA-256 of its normalized JSON.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(serde_json::to_vec(self).unwrap_or_default()))
    }
}

fn parse_share(rate: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&rate) { Ok(rate) } else { Err("must be 0 to 1".to_owned()) }
}

fn parse_within(number: i64, range: &RangeInclusive<i64>) -> Result<i64, String> {
    let message = || format!("must be {} to {}", range.start(), range.end());
    if range.contains(&number) { Ok(number) } else { Err(message()) }
}

fn parse_time(text: &str) -> Result<Time, String> {
    chrono::DateTime::parse_from_rfc3339(text).map(Into::into).map_err(|_| "is not an RFC 3339 time".to_owned())
}

fn system_prompt(text: String, format: DatasetFormat) -> Result<String, String> {
    if format != DatasetFormat::Messages {
        return Err("belongs to the format messages".to_owned());
    }
    let fits = !text.trim().is_empty() && text.chars().count() <= LONGEST_SYSTEM_PROMPT && !text.contains('\0');
    if fits { Ok(text) } else { Err(format!("must have 1 to {LONGEST_SYSTEM_PROMPT} characters, none of them NUL")) }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
