//! Decides for each session, newest first, whether it becomes a sample, and counts the reasons. Pure and deterministic.

use super::{
    DatasetTally, ExclusionCause,
    duplicates::DuplicateIndex,
    recipe::{Recipe, SampleCandidate},
    redaction::Redactor,
    sample,
    split::Split,
    transcript::{ChatMessage, RedactedTranscript, Speaker},
};

/// A curation in progress.
pub struct Curation<'a> {
    recipe: &'a Recipe,
    seen: DuplicateIndex,
    pub tally: DatasetTally,
}

/// A session that became a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct CuratedSample {
    pub candidate: SampleCandidate,
    pub split: Split,
    /// The line, with its line feed.
    pub line: String,
    pub messages: Vec<ChatMessage>,
}

impl<'a> Curation<'a> {
    pub fn new(recipe: &'a Recipe) -> Self {
        Self { recipe, seen: DuplicateIndex::default(), tally: DatasetTally::default() }
    }

    /// Whether the transcript of a session must be read. Counts the session if not.
    pub fn wants_transcript(&mut self, candidate: &SampleCandidate) -> bool {
        self.tally.looked_at += 1;
        let refused = self.recipe.reason_to_leave_out(candidate);
        if let Some(why) = refused {
            self.leave_out(why);
        }
        refused.is_none()
    }

    /// Whether the limit of the recipe is reached.
    pub fn is_full(&self) -> bool {
        self.tally.limit_reached
    }

    /// Converts a selected session to a sample, or counts why not. A missing transcript means that the session was
    /// deleted.
    pub fn take_candidate(
        &mut self,
        candidate: &SampleCandidate,
        transcript: Option<RedactedTranscript>,
    ) -> Option<CuratedSample> {
        match self.make_sample(candidate, transcript) {
            Ok(sample) => Some(sample),
            Err(why) => {
                self.leave_out(why);
                None
            }
        }
    }

    fn make_sample(
        &mut self,
        candidate: &SampleCandidate,
        transcript: Option<RedactedTranscript>,
    ) -> Result<CuratedSample, ExclusionCause> {
        let transcript = transcript.ok_or(ExclusionCause::Deleted)?;
        if transcript.too_long {
            return Err(ExclusionCause::TooLong);
        }
        let mut messages = transcript.messages.ok_or(ExclusionCause::EmptyTranscript)?;
        if let Some(why) = self.seen.find_duplicate(&messages) {
            return Err(why);
        }
        let mut redactor = Redactor::default();
        if let Some(prompt) = &self.recipe.system_prompt {
            messages.insert(0, ChatMessage { role: Speaker::System, content: redactor.redact_text(prompt) });
        }
        let line = sample::sample_line(self.recipe.format, &messages, candidate);
        let tally = &mut self.tally;
        tally.samples += 1;
        tally.bytes += line.len() as u64;
        tally.tokens += sample::estimate_tokens(&messages);
        for (kind, count) in redactor.counts().into_iter().chain(transcript.redactions) {
            *tally.redactions.entry(kind).or_default() += count;
        }
        tally.limit_reached = tally.samples >= self.recipe.limit.unsigned_abs();
        Ok(CuratedSample { candidate: candidate.clone(), split: Split::of(candidate.root_id), line, messages })
    }

    fn leave_out(&mut self, why: ExclusionCause) {
        *self.tally.left_out.entry(why).or_default() += 1;
    }
}

#[cfg(test)]
#[path = "curation_tests.rs"]
mod tests;
