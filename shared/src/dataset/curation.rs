//! Decides session by session, newest first, what becomes a sample, and counts the rest. Pure, and the same for the same
//! sessions in the same order.

use super::{
    LeftOut, Tally,
    duplicates::Seen,
    recipe::{Candidate, Recipe},
    redaction::Redactor,
    sample,
    split::Split,
    transcript::{Message, Speaker, Transcript},
};

/// A curation under way.
pub struct Curation<'a> {
    recipe: &'a Recipe,
    seen: Seen,
    pub tally: Tally,
}

/// A session that became a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub candidate: Candidate,
    pub split: Split,
    /// With its line feed.
    pub line: String,
    pub messages: Vec<Message>,
}

impl<'a> Curation<'a> {
    pub fn new(recipe: &'a Recipe) -> Self {
        Self { recipe, seen: Seen::default(), tally: Tally::default() }
    }

    /// Whether the transcript of a session is worth reading; counts it if not.
    pub fn wants(&mut self, candidate: &Candidate) -> bool {
        self.tally.looked_at += 1;
        let refused = self.recipe.refuses(candidate);
        if let Some(why) = refused {
            self.leave_out(why);
        }
        refused.is_none()
    }

    /// Whether there are as many samples as the recipe asks for.
    pub fn is_full(&self) -> bool {
        self.tally.limit_reached
    }

    /// Makes a sample of a session that is wanted; counts why not. Without a transcript the session is gone.
    pub fn take(&mut self, candidate: &Candidate, transcript: Option<Transcript>) -> Option<Sample> {
        match self.make(candidate, transcript) {
            Ok(sample) => Some(sample),
            Err(why) => {
                self.leave_out(why);
                None
            }
        }
    }

    fn make(&mut self, candidate: &Candidate, transcript: Option<Transcript>) -> Result<Sample, LeftOut> {
        let transcript = transcript.ok_or(LeftOut::Deleted)?;
        if transcript.too_long {
            return Err(LeftOut::TooLong);
        }
        let mut redactor = Redactor::default();
        let mut messages = transcript.conversation(&mut redactor).ok_or(LeftOut::EmptyTranscript)?;
        if let Some(why) = self.seen.judge(&messages) {
            return Err(why);
        }
        if let Some(prompt) = &self.recipe.system_prompt {
            messages.insert(0, Message { role: Speaker::System, content: redactor.text(prompt) });
        }
        let line = sample::line(self.recipe.format, &messages, candidate);
        let tally = &mut self.tally;
        tally.samples += 1;
        tally.bytes += line.len() as u64;
        tally.tokens += sample::tokens(&messages);
        for (kind, count) in redactor.counts() {
            *tally.redactions.entry(kind).or_default() += count;
        }
        tally.limit_reached = tally.samples >= self.recipe.limit.unsigned_abs();
        Ok(Sample { candidate: candidate.clone(), split: Split::of(candidate.root_id), line, messages })
    }

    fn leave_out(&mut self, why: LeftOut) {
        *self.tally.left_out.entry(why).or_default() += 1;
    }
}

#[cfg(test)]
#[path = "curation_tests.rs"]
mod tests;
