//! What a dataset is to be made of, parsed once: which sessions, how many, in which form. Pure.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    clock::Time,
    error::{Refusals, Result},
    id::SessionId,
    session::{SessionType, draft},
};

use super::LeftOut;

/// The most samples of a dataset. What finds duplicates grows with them, so this bounds its memory.
pub const MOST_SAMPLES: i64 = 100_000;

/// The longest system prompt, in characters.
const LONGEST_SYSTEM_PROMPT: usize = 10_000;

/// The form of a sample.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DatasetFormat)]
pub enum Format {
    /// A conversation: `{"messages": [{"role", "content"}...], "metadata"}`.
    #[default]
    Messages,
    /// One turn: `{"instruction", "input", "output", "metadata"}`.
    Instruction,
}

/// Which sessions become samples, and in which form. Each field may be left out.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DatasetRecipe)]
pub struct Raw {
    /// 0.9 when absent. A completed session that tells no success rate counts as 1.
    #[schema(minimum = 0, maximum = 1)]
    pub min_success_rate: Option<f64>,
    pub session_type: Option<SessionType>,
    /// Sessions that have any of these; all when empty.
    #[schema(max_items = 20)]
    pub tags: Option<Vec<String>>,
    /// Sessions that named this model, `provider/model`.
    #[schema(max_length = 200)]
    pub model: Option<String>,
    /// Sessions that ended then or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<String>,
    /// Sessions that ended before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<String>,
    /// The most samples: the newest ones. 100000 when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    pub limit: Option<i64>,
    /// messages when absent.
    pub format: Option<Format>,
    /// The fewest samples to train with, below which the job fails with `TOO_FEW_SAMPLES`. 1 when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    pub min_samples: Option<i64>,
    /// What each sample begins with as a message of the system; of the format messages alone.
    #[schema(min_length = 1, max_length = 10_000)]
    pub system_prompt: Option<String>,
}

/// A recipe that keeps every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetRecipeView)]
pub struct Recipe {
    pub min_success_rate: f64,
    pub session_type: Option<SessionType>,
    pub tags: Vec<String>,
    pub model: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Time>,
    pub limit: i64,
    pub format: Format,
    pub min_samples: i64,
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
            format: Format::default(),
            min_samples: 1,
            system_prompt: None,
        }
    }
}

/// What a recipe asks of a completed session.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub id: SessionId,
    pub root_id: SessionId,
    pub session_type: SessionType,
    pub tags: Vec<String>,
    pub model: Option<String>,
    pub ended_at: Time,
    /// As its outcome tells it.
    pub success_rate: Option<f64>,
}

impl Candidate {
    /// The share of success that counts: a completed session that tells none did what was asked.
    pub fn success(&self) -> f64 {
        self.success_rate.unwrap_or(1.0)
    }
}

impl Recipe {
    /// Reads what was sent; refuses with all its faults at once.
    pub fn parse(raw: Raw) -> Result<Self> {
        let mut refused = Refusals::default();
        let recipe = Self::collect(raw, "", &mut refused);
        refused.finish()?;
        Ok(recipe)
    }

    /// As a part of something larger: its fields are named with `prefix` before them, such as `dataset.`. What is refused
    /// is at its default.
    pub fn collect(raw: Raw, prefix: &str, refused: &mut Refusals) -> Self {
        let named = |field: &str| format!("{prefix}{field}");
        let default = Self::default();
        let samples = 1..=MOST_SAMPLES;
        let format = raw.format.unwrap_or_default();
        let since = raw.since.and_then(|text| refused.take(&named("since"), time(&text)));
        let until = raw.until.and_then(|text| refused.take(&named("until"), time(&text)));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            refused.add(named("until"), "must be after since");
        }
        let mut tags = refused.take(&named("tags"), draft::tags(raw.tags.unwrap_or_default())).unwrap_or_default();
        tags.sort_unstable();
        let system_prompt =
            raw.system_prompt.and_then(|text| refused.take(&named("system_prompt"), system_prompt(text, format)));
        Self {
            min_success_rate: raw
                .min_success_rate
                .and_then(|rate| refused.take(&named("min_success_rate"), share(rate)))
                .unwrap_or(default.min_success_rate),
            session_type: raw.session_type,
            tags,
            model: raw.model.and_then(|model| refused.take(&named("model"), draft::model_identifier(model))),
            since,
            until,
            limit: raw
                .limit
                .and_then(|limit| refused.take(&named("limit"), within(limit, &samples)))
                .unwrap_or(default.limit),
            format,
            min_samples: raw
                .min_samples
                .and_then(|least| refused.take(&named("min_samples"), within(least, &samples)))
                .unwrap_or(default.min_samples),
            system_prompt,
        }
    }

    /// Why a session is not wanted, as far as its row tells.
    pub fn refuses(&self, candidate: &Candidate) -> Option<LeftOut> {
        let other_type = self.session_type.is_some_and(|wanted| wanted != candidate.session_type);
        let other_tags = !self.tags.is_empty() && !candidate.tags.iter().any(|tag| self.tags.contains(tag));
        let other_model = self.model.is_some() && self.model != candidate.model;
        let too_old = self.since.is_some_and(|since| candidate.ended_at < since);
        let too_new = self.until.is_some_and(|until| candidate.ended_at >= until);
        if other_type || other_tags || other_model || too_old || too_new {
            return Some(LeftOut::Filtered);
        }
        (candidate.success() < self.min_success_rate).then_some(LeftOut::TooLowSuccess)
    }

    /// One text for recipes that ask for the same: the SHA-256 of its JSON.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(serde_json::to_vec(self).unwrap_or_default()))
    }
}

fn share(rate: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&rate) { Ok(rate) } else { Err("must be 0 to 1".to_owned()) }
}

fn within(number: i64, range: &RangeInclusive<i64>) -> Result<i64, String> {
    let message = || format!("must be {} to {}", range.start(), range.end());
    if range.contains(&number) { Ok(number) } else { Err(message()) }
}

fn time(text: &str) -> Result<Time, String> {
    chrono::DateTime::parse_from_rfc3339(text).map(Into::into).map_err(|_| "is not an RFC 3339 time".to_owned())
}

fn system_prompt(text: String, format: Format) -> Result<String, String> {
    if format != Format::Messages {
        return Err("belongs to the format messages".to_owned());
    }
    let fits = !text.trim().is_empty() && text.chars().count() <= LONGEST_SYSTEM_PROMPT && !text.contains('\0');
    if fits { Ok(text) } else { Err(format!("must have 1 to {LONGEST_SYSTEM_PROMPT} characters, none of them NUL")) }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
