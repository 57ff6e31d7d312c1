//! What a person says to a running agent: further prompts, and answers to its questions. And the word to stop.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    OpenCode,
    client::optional,
    state::State,
    wire::{PermissionRequest, QuestionRequest},
};
use crate::{
    agents::contract::{Answer, Assignment, Choice, Decision, Question, QuestionKind, RunState, UserMessage},
    kernel::{
        failure::{Category, Failure},
        id::MessageId,
    },
};

/// How often in a row an aborted session must be seen at rest: a prompt may start a moment after it was taken.
const AT_REST: u8 = 3;

impl OpenCode {
    pub(super) async fn tell(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        let mut state = State::required(state)?;
        match said {
            UserMessage::Text { text } => {
                let seed = ["said".to_owned(), id.to_string()];
                self.deliver(assignment, &mut state, &seed, text).await?;
            }
            UserMessage::Answer { answer } => match kind(&answer.question_id) {
                Some(QuestionKind::Approval) => self.decide(&state, answer).await?,
                Some(QuestionKind::Input) => self.answer(&mut state, answer).await?,
                Some(QuestionKind::Auth) | None => {
                    let message = "The agent asked no such question.";
                    return Err(Failure::new(Category::User, "QUESTION_UNKNOWN", message));
                }
            },
        }
        state.doubt = None;
        state.write()
    }

    /// Only ever for this once: `always` would hold for every session of the directory. A refusal carries words, as
    /// without them the agent's turn ends.
    async fn decide(&self, state: &State, answer: &Answer) -> Result<(), Failure> {
        let body = match answer.decision {
            Some(Decision::Approve) => json!({"reply": "once"}),
            Some(Decision::Deny) => {
                let words = answer.text.as_deref().filter(|text| !text.trim().is_empty());
                json!({"reply": "reject", "message": words.unwrap_or("Denied. Go on without it, or say why you cannot.")})
            }
            None => return Err(Failure::new(Category::User, "ANSWER_UNFIT", "An approval takes a decision.")),
        };
        self.reply(state, &format!("/permission/{}/reply", answer.question_id), &body).await
    }

    /// A request may ask several questions: it is answered when all answers are there.
    async fn answer(&self, state: &mut State, answer: &Answer) -> Result<(), Failure> {
        let (request, number) = answer.question_id.split_once('.').unwrap_or((&answer.question_id, "0"));
        if answer.decision == Some(Decision::Deny) {
            state.answers.remove(request);
            return self.reply(state, &format!("/question/{request}/reject"), &json!({})).await;
        }
        let Some(asked) = self.client.questions(&state.directory).await?.into_iter().find(|each| each.id == request)
        else {
            state.answers.remove(request); // answered, or gone with its server
            return Ok(());
        };
        let words: Vec<_> = answer.choices.iter().flatten().chain(&answer.text).cloned().collect();
        if words.is_empty() {
            return Err(Failure::new(Category::User, "ANSWER_UNFIT", "A question takes choices or a text."));
        }
        let answers = state.answers.entry(request.to_owned()).or_default();
        if number.parse() == Ok(answers.len()) {
            answers.push(words);
        }
        if answers.len() < asked.questions.len() {
            return Ok(());
        }
        let body = json!({"answers": answers});
        self.reply(state, &format!("/question/{request}/reply"), &body).await?;
        state.answers.remove(request);
        Ok(())
    }

    /// A request that is no longer there was answered.
    async fn reply(&self, state: &State, path: &str, body: &Value) -> Result<(), Failure> {
        optional(self.client.reply(&state.directory, path, body).await).map(drop)
    }

    /// Aborts the session and its descendants, and waits until all rest.
    pub(super) async fn rest(&self, state: &State) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + self.settings.abort_timeout;
        let family = self.family(&state.directory, &state.session).await?;
        let ids: Vec<_> = [&state.session].into_iter().chain(family.iter().map(|session| &session.id)).collect();
        let mut at_rest = 0;
        let mut aborted = false;
        while at_rest < AT_REST {
            let statuses = self.client.statuses(&state.directory).await?;
            let busy = ids.iter().any(|id| statuses.get(*id).is_some_and(|status| status.kind != "idle"));
            if busy || !aborted {
                for id in &ids {
                    optional(self.client.abort(&state.directory, id).await)?;
                }
                aborted = true;
            }
            at_rest = if busy { 0 } else { at_rest + 1 };
            if tokio::time::Instant::now() >= deadline {
                return Err(Failure::transient("AGENT_BUSY", "The agent did not come to rest in time."));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// What a question is by its id. An id becomes part of a path, so nothing else may be in it.
fn kind(id: &str) -> Option<QuestionKind> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    match id.get(..4) {
        Some("per_") if plain => Some(QuestionKind::Approval),
        Some("que_") if plain => Some(QuestionKind::Input),
        _ => None,
    }
}

/// A pending permission, as a question.
pub(super) fn approval(request: &PermissionRequest) -> Question {
    let what = request.patterns.join(", ");
    Question {
        question_id: request.id.clone(),
        kind: QuestionKind::Approval,
        text: format!("May the agent use {}: {what}?", request.permission),
        options: Vec::new(),
        details: json!({
            "permission": request.permission,
            "patterns": request.patterns,
            "metadata": request.metadata,
        }),
    }
}

/// The first question of a request that has no answer yet.
pub(super) fn input(request: &QuestionRequest, state: &State) -> Question {
    let number = state.answers.get(&request.id).map_or(0, Vec::len);
    let asked = request.questions.get(number).or(request.questions.last()).cloned().unwrap_or_default();
    let one = request.questions.len() < 2;
    Question {
        question_id: if one { request.id.clone() } else { format!("{}.{number}", request.id) },
        kind: QuestionKind::Input,
        text: asked.question,
        options: asked
            .options
            .into_iter()
            .map(|option| Choice { label: option.label, description: option.description })
            .collect(),
        details: json!({"header": asked.header, "multiple": asked.multiple}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_question_leads_nowhere_else() {
        assert_eq!(kind("per_2038a8595001W46IWZFhPyb1nM"), Some(QuestionKind::Approval));
        assert_eq!(kind("que_1.0"), Some(QuestionKind::Input));
        for id in ["que_/../../session/ses_1/abort", "que_1?x", "per_%2e%2e", "ses_1", ""] {
            assert_eq!(kind(id), None, "{id}");
        }
    }

    #[test]
    fn several_questions_of_one_request_are_asked_one_by_one() {
        let request = json!({"id": "que_1", "questions": [
            {"question": "Which?", "options": [{"label": "pg", "description": "Postgres"}]}, {"question": "When?"}]});
        let request: QuestionRequest = serde_json::from_value(request).unwrap();
        let mut state = State::default();
        let first = input(&request, &state);
        assert_eq!((first.question_id.as_str(), first.text.as_str()), ("que_1.0", "Which?"));
        assert_eq!(first.options[0].label, "pg");
        state.answers.insert("que_1".to_owned(), vec![vec!["pg".to_owned()]]);
        let second = input(&request, &state);
        assert_eq!((second.question_id.as_str(), second.text.as_str()), ("que_1.1", "When?"));
    }
}
