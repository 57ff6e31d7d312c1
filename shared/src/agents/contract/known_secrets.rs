//! Removes the values of a session's own secrets from what its agent shows.

use crate::{
    agents::contract::{Finish, Observation, Phase, Question, RunOutput, TranscriptEntry},
    kernel::{failure::Failure, redact::KnownSecrets},
};

impl Observation {
    /// The observation without the values of these secrets.
    #[must_use]
    pub fn without_known(mut self, known: &KnownSecrets) -> Self {
        if known.is_empty() {
            return self;
        }
        self.transcript.iter_mut().for_each(|entry| mask_entry(known, entry));
        match &mut self.phase {
            Phase::Starting | Phase::Working => {}
            Phase::Limited { message, .. } => known.mask_text(message),
            Phase::Waiting(question) => mask_question(known, question),
            Phase::Finished(finish) => mask_finish(known, finish),
        }
        self
    }
}

impl RunOutput {
    /// The output without the values of these secrets in its summary. Files and patches stay exact.
    #[must_use]
    pub fn with_known_masked(mut self, known: &KnownSecrets) -> Self {
        known.mask_text(&mut self.summary);
        self
    }
}

fn mask_entry(known: &KnownSecrets, entry: &mut TranscriptEntry) {
    match entry {
        TranscriptEntry::Log { message, .. } => known.mask_text(message),
        TranscriptEntry::Message { text, .. } => known.mask_text(text),
        TranscriptEntry::Tool { title, input, output, .. } => {
            known.mask_text(title);
            if let Some(text) = output {
                known.mask_text(text);
            }
            if let Some(value) = input {
                known.mask_json(value);
            }
        }
        TranscriptEntry::FileChanged { path } => known.mask_text(path),
    }
}

fn mask_question(known: &KnownSecrets, question: &mut Question) {
    known.mask_text(&mut question.text);
    known.mask_json(&mut question.details);
    for option in &mut question.options {
        known.mask_text(&mut option.label);
        known.mask_text(&mut option.description);
    }
}

fn mask_finish(known: &KnownSecrets, finish: &mut Finish) {
    match finish {
        Finish::Completed { result, .. } => known.mask_json(result),
        Finish::Partial { result, failure, .. } => {
            known.mask_json(result);
            if let Some(failure) = failure {
                mask_failure(known, failure);
            }
        }
        Finish::Failed(failure) => mask_failure(known, failure),
        Finish::Aborted => {}
    }
}

fn mask_failure(known: &KnownSecrets, failure: &mut Failure) {
    known.mask_text(&mut failure.message);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        agents::contract::{Choice, LogLevel, QuestionKind, RunState},
        kernel::{failure::Category, usage::Usage},
    };

    const VALUE: &str = "plain words of a person";

    fn observation(phase: Phase, transcript: Vec<TranscriptEntry>) -> Observation {
        Observation {
            state: RunState::default(),
            phase,
            transcript,
            usage_scope: String::new(),
            usage: Usage::default(),
            turns_with_changes: 0,
        }
    }

    fn text() -> String {
        format!("it is {VALUE}.")
    }

    fn transcript() -> Vec<TranscriptEntry> {
        vec![
            TranscriptEntry::Log { level: LogLevel::Info, message: text() },
            TranscriptEntry::Message { role: "assistant".to_owned(), text: text(), part: "1".to_owned() },
            TranscriptEntry::Tool {
                tool: "bash".to_owned(),
                state: "completed".to_owned(),
                title: text(),
                input: Some(json!({"command": text()})),
                output: Some(text()),
                part: "2".to_owned(),
            },
            TranscriptEntry::FileChanged { path: text() },
        ]
    }

    #[test]
    fn a_known_value_is_in_no_part_of_an_observation() {
        let failure = || Failure::new(Category::User, "SETUP_FAILED", text());
        let question = Question {
            question_id: "1".to_owned(),
            kind: QuestionKind::Input,
            text: text(),
            options: vec![Choice { label: text(), description: text() }],
            details: json!({"command": text()}),
        };
        let known = KnownSecrets::of_values([VALUE]);
        let phases = [
            Phase::Waiting(question),
            Phase::Finished(Finish::Failed(failure())),
            Phase::Finished(Finish::Partial { result: json!(text()), success_rate: None, failure: Some(failure()) }),
            Phase::Finished(Finish::Completed { result: json!([text()]), success_rate: None, confidence_score: None }),
        ];
        for phase in phases {
            let before = observation(phase, transcript());
            assert!(format!("{before:?}").contains(VALUE));
            let after = format!("{:?}", before.without_known(&known));
            assert!(!after.contains(VALUE) && after.contains("[redacted]"), "{after}");
        }
    }

    #[test]
    fn an_observation_is_unchanged_where_no_secret_is_known() {
        let same = observation(Phase::Working, transcript()).without_known(&KnownSecrets::default());
        assert_eq!(same.transcript, transcript());
    }
}
