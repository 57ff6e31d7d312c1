//! The questions of a run that no person has answered yet: who asked, and where an answer goes. Pure.

use serde_json::{Value, json};

use crate::{
    acp::PermissionRequestId,
    control_plane::wire::{Answer, Question, QuestionOption},
    mcp::{PersonQuestion, ToolReply},
};

/// How many questions of tools may be open at once.
const MOST_QUESTIONS: usize = 16;

/// The agent's side of a question.
#[derive(Debug)]
pub(super) enum Asker {
    /// A request for permission.
    Permission(PermissionRequestId),
    /// A call of the tool `ask_person`.
    Tool(ToolReply),
}

/// Where an answer goes.
#[derive(Debug, PartialEq)]
pub(super) enum Destination {
    /// To the agent, as the decision on its request.
    Permission { id: PermissionRequestId, granted: bool },
    /// To the agent, as a prompt: the call that asked has ended meanwhile.
    Prompt(String),
    /// It is there already, or nobody waits for it.
    Nowhere,
}

/// The open questions of one run.
#[derive(Debug)]
pub(super) struct OpenQuestions {
    lease: i64,
    asked: u64,
    open: Vec<OpenQuestion>,
    /// Decisions whose requests ended with their process: they hold for the same request of a later one, once.
    decided: Vec<(Question, bool)>,
}

#[derive(Debug)]
struct OpenQuestion {
    question: Question,
    /// Absent once nobody waits for the answer any more.
    asker: Option<Asker>,
}

impl OpenQuestion {
    fn is_orphan(&self) -> bool {
        match &self.asker {
            None => true,
            Some(Asker::Permission(_)) => false,
            Some(Asker::Tool(reply)) => reply.is_closed(),
        }
    }
}

fn is_same_request(one: &Question, other: &Question) -> bool {
    let content = |one: &Question| (one.kind, one.text.clone(), one.options.clone(), one.details.clone());
    content(one) == content(other)
}

impl OpenQuestions {
    /// No questions, in a run under this lease.
    pub(super) fn new(lease: i64) -> Self {
        Self { lease, asked: 0, open: Vec::new(), decided: Vec::new() }
    }

    /// Notes a question, and returns it under its id if it must be reported. A question that was asked before, and for
    /// whose answer nobody waits any more, is not asked again: the new asker gets its answer.
    ///
    /// Answers are delivered again under a later lease, so an id names the lease: an answer must not meet a question of
    /// another run.
    pub(super) fn ask(&mut self, question: Question, asker: Asker) -> Option<Question> {
        if let Some(known) =
            self.open.iter_mut().find(|one| one.is_orphan() && is_same_request(&one.question, &question))
        {
            known.asker = Some(asker);
            return None;
        }
        let asker = match asker {
            Asker::Tool(reply) if self.open.len() >= MOST_QUESTIONS => {
                let _ = reply.send(Err(format!("{MOST_QUESTIONS} questions are open already: wait for an answer")));
                return None;
            }
            other => other,
        };
        Some(self.open_for(asker, question))
    }

    fn open_for(&mut self, asker: Asker, mut question: Question) -> Question {
        self.asked += 1;
        question.question_id = format!("{}-{}", self.lease, self.asked);
        self.open.push(OpenQuestion { question: question.clone(), asker: Some(asker) });
        question
    }

    /// The decision on a request that an earlier process made, if a person has taken it meanwhile.
    pub(super) fn take_decision(&mut self, question: &Question) -> Option<bool> {
        let at = self.decided.iter().position(|(decided, _)| is_same_request(decided, question))?;
        Some(self.decided.remove(at).1)
    }

    /// Takes an answer in while no process waits for it, and returns the prompt with which another one begins; `None`
    /// if the question is not open.
    pub(super) fn answer_without_process(&mut self, answer: &Answer) -> Option<String> {
        let question = self.open.iter().find(|one| one.question.question_id == answer.question_id)?.question.clone();
        match self.answer(answer) {
            Destination::Prompt(text) => Some(text),
            _ if is_granted(answer) => Some(format!(
                "The answer to \"{}\" is: approved. Your process ended while you waited: make the same call again.",
                question.text
            )),
            _ => Some(format!("The answer to \"{}\" is: denied. Go on without it.", question.text)),
        }
    }

    /// Takes an answer in. A tool gets it here.
    pub(super) fn answer(&mut self, answer: &Answer) -> Destination {
        let Some(OpenQuestion { question, asker }) = self.take(&answer.question_id) else {
            return Destination::Nowhere;
        };
        match asker {
            Some(Asker::Permission(id)) => Destination::Permission { id, granted: is_granted(answer) },
            Some(Asker::Tool(reply)) => match reply.send(Ok(text_of(answer))) {
                Ok(()) => Destination::Nowhere,
                Err(_) => prompt_of(&question, answer),
            },
            None if question.kind == "approval" => {
                self.decided.push((question, is_granted(answer)));
                Destination::Nowhere
            }
            None => prompt_of(&question, answer),
        }
    }

    /// The control plane does not take a question: it counts as refused.
    pub(super) fn refuse(&mut self, question_id: &str, reason: &str) -> Destination {
        match self.take(question_id).and_then(|one| one.asker) {
            Some(Asker::Permission(id)) => Destination::Permission { id, granted: false },
            Some(Asker::Tool(reply)) => {
                let _ = reply.send(Err(format!("the question could not be asked: {reason}")));
                Destination::Nowhere
            }
            None => Destination::Nowhere,
        }
    }

    /// The process of the agent is gone: nobody waits for the answers, unless it asks again.
    pub(super) fn orphan_all(&mut self) {
        for one in &mut self.open {
            one.asker = None;
        }
    }

    /// Ends all questions: their tools fail.
    pub(super) fn withdraw_all(&mut self) {
        self.open.clear();
    }

    /// Whether a person is asked anything.
    pub(super) fn is_asking(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether a tool's question is open, to a person or for sessions. Its answer is work to be done, also after the
    /// call has ended.
    pub(super) fn awaits_input(&self) -> bool {
        self.open.iter().any(|one| matches!(one.question.kind, "input" | "sessions"))
    }

    fn take(&mut self, question_id: &str) -> Option<OpenQuestion> {
        let at = self.open.iter().position(|one| one.question.question_id == question_id)?;
        Some(self.open.remove(at))
    }
}

fn is_granted(answer: &Answer) -> bool {
    answer.decision.as_deref() == Some("approve")
}

fn prompt_of(question: &Question, answer: &Answer) -> Destination {
    if question.kind == "sessions" {
        return Destination::Prompt(format!("What you waited for has come:\n\n{}", text_of(answer)));
    }
    Destination::Prompt(format!("The answer to your question \"{}\" is: {}", question.text, text_of(answer)))
}

/// What a person chose, and what they wrote beyond that.
fn text_of(answer: &Answer) -> String {
    let choices = answer.choices.as_deref().unwrap_or_default();
    let text = answer.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let is_chosen = |text: &&str| choices.iter().any(|choice| choice.trim().eq_ignore_ascii_case(text));
    let chosen = Some(choices.join(", ")).filter(|text| !text.is_empty());
    let written = text.filter(|text| !is_chosen(text)).map(str::to_owned);
    let said = chosen.into_iter().chain(written).collect::<Vec<_>>().join("\n");
    if said.is_empty() { "(an answer without a text)".to_owned() } else { said }
}

/// The question that a call of `ask_person` asks.
pub(super) fn question_of(asked: PersonQuestion) -> Question {
    Question {
        question_id: String::new(),
        kind: "input",
        text: asked.question,
        options: asked.options.into_iter().map(|label| QuestionOption { label }).collect(),
        details: Value::Null,
    }
}

/// The wait for sessions is a question that the control plane answers.
pub(super) fn question_of_sessions(sessions: &[String]) -> Question {
    Question {
        question_id: String::new(),
        kind: "sessions",
        text: format!("The agent waits for {} of its sessions.", sessions.len()),
        options: Vec::new(),
        details: json!({"sessions": sessions}),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::oneshot;

    use super::*;

    fn question(kind: &'static str, text: &str) -> Question {
        Question { question_id: String::new(), kind, text: text.into(), options: Vec::new(), details: Value::Null }
    }

    fn answer(question_id: &str, said: Value) -> Answer {
        let mut answer: Answer = serde_json::from_value(said).unwrap();
        answer.question_id = question_id.to_owned();
        answer
    }

    fn said(value: Value) -> Value {
        let mut value = value;
        value["question_id"] = "".into();
        value
    }

    #[test]
    fn an_answer_grants_only_by_the_decision_approve() {
        for (value, granted) in [
            (json!({"decision": "approve"}), true),
            (json!({"decision": "deny"}), false),
            (json!({"decision": "yes"}), false),
            (json!({"text": "approve"}), false),
        ] {
            let mut questions = OpenQuestions::new(3);
            let id = PermissionRequestId(7);
            let asked = questions.ask(question("approval", "rm x"), Asker::Permission(id)).unwrap();
            assert_eq!(asked.question_id, "3-1");
            let answer = answer("3-1", said(value));
            assert_eq!(questions.answer(&answer), Destination::Permission { id, granted });
            assert_eq!(questions.answer(&answer), Destination::Nowhere, "it is answered once");
        }
    }

    #[test]
    fn two_questions_at_once_get_each_its_own_answer() {
        let mut questions = OpenQuestions::new(1);
        let (first, mut first_result) = oneshot::channel();
        let (second, mut second_result) = oneshot::channel();
        questions.ask(question("input", "Which?"), Asker::Tool(first)).unwrap();
        let second = questions.ask(question("input", "Which?"), Asker::Tool(second)).unwrap();
        assert_eq!(second.question_id, "1-2");
        questions.answer(&answer("1-2", said(json!({"choices": ["blue"], "text": "Blue"}))));
        assert_eq!(second_result.try_recv().unwrap(), Ok("blue".to_owned()));
        assert!(first_result.try_recv().is_err() && questions.awaits_input());
        questions.answer(&answer("1-1", said(json!({"choices": ["a", "b"], "text": "but small"}))));
        assert_eq!(first_result.try_recv().unwrap(), Ok("a, b\nbut small".to_owned()));
        assert!(!questions.awaits_input());
    }

    #[test]
    fn a_question_that_is_asked_again_after_its_call_ended_is_not_reported_twice() {
        let mut questions = OpenQuestions::new(1);
        let (first, result) = oneshot::channel();
        questions.ask(question("input", "Which?"), Asker::Tool(first)).unwrap();
        drop(result);
        let (again, mut result) = oneshot::channel();
        assert_eq!(questions.ask(question("input", "Which?"), Asker::Tool(again)), None);
        questions.answer(&answer("1-1", said(json!({"text": "blue"}))));
        assert_eq!(result.try_recv().unwrap(), Ok("blue".to_owned()));
    }

    #[test]
    fn a_request_of_a_restarted_agent_takes_the_place_of_the_same_one() {
        let mut questions = OpenQuestions::new(1);
        questions.ask(question("approval", "rm x"), Asker::Permission(PermissionRequestId(1))).unwrap();
        questions.orphan_all();
        let other = questions.ask(question("approval", "rm y"), Asker::Permission(PermissionRequestId(1)));
        assert_eq!(other.unwrap().question_id, "1-2");
        let id = PermissionRequestId(2);
        assert_eq!(questions.ask(question("approval", "rm x"), Asker::Permission(id)), None);
        let approved = answer("1-1", said(json!({"decision": "approve"})));
        assert_eq!(questions.answer(&approved), Destination::Permission { id, granted: true });
    }

    #[test]
    fn a_decision_without_its_request_holds_for_the_same_request_once() {
        for (decision, granted, prompt) in [("approve", true, "approved"), ("deny", false, "denied")] {
            let mut questions = OpenQuestions::new(1);
            questions.ask(question("approval", "rm x"), Asker::Permission(PermissionRequestId(1))).unwrap();
            questions.orphan_all();
            let decided = answer("1-1", said(json!({"decision": decision})));
            let said = questions.answer_without_process(&decided).unwrap();
            assert!(said.starts_with(&format!("The answer to \"rm x\" is: {prompt}")), "{said}");
            assert!(!questions.is_asking());
            assert_eq!(questions.take_decision(&question("approval", "rm y")), None);
            assert_eq!(questions.take_decision(&question("approval", "rm x")), Some(granted));
            assert_eq!(questions.take_decision(&question("approval", "rm x")), None);
            assert_eq!(questions.answer_without_process(&decided), None, "it is answered once");
        }
    }

    #[test]
    fn an_answer_without_its_call_becomes_a_prompt_and_a_late_decision_is_kept() {
        let mut questions = OpenQuestions::new(1);
        let (reply, result) = oneshot::channel();
        questions.ask(question("input", "Which?"), Asker::Tool(reply)).unwrap();
        questions.ask(question("approval", "rm x"), Asker::Permission(PermissionRequestId(1))).unwrap();
        questions.orphan_all();
        drop(result);
        let expected = Destination::Prompt("The answer to your question \"Which?\" is: blue".into());
        assert_eq!(questions.answer(&answer("1-1", said(json!({"text": "blue"})))), expected);
        let approved = answer("1-2", said(json!({"decision": "approve"})));
        assert_eq!(questions.answer(&approved), Destination::Nowhere);
    }

    #[test]
    fn a_question_that_the_control_plane_refuses_is_refused_to_its_asker() {
        let mut questions = OpenQuestions::new(1);
        let (reply, mut result) = oneshot::channel();
        questions.ask(question("input", "Which?"), Asker::Tool(reply)).unwrap();
        let id = PermissionRequestId(1);
        questions.ask(question("approval", "rm x"), Asker::Permission(id)).unwrap();
        assert_eq!(questions.refuse("1-1", "too long"), Destination::Nowhere);
        assert_eq!(result.try_recv().unwrap(), Err("the question could not be asked: too long".to_owned()));
        assert_eq!(questions.refuse("1-2", "too long"), Destination::Permission { id, granted: false });
    }

    #[test]
    fn questions_of_tools_beyond_the_limit_fail_at_once() {
        let mut questions = OpenQuestions::new(1);
        let mut results = Vec::new();
        for number in 0..MOST_QUESTIONS {
            let (reply, result) = oneshot::channel();
            assert!(questions.ask(question("input", &number.to_string()), Asker::Tool(reply)).is_some());
            results.push(result);
        }
        let (reply, mut result) = oneshot::channel();
        assert_eq!(questions.ask(question("input", "more"), Asker::Tool(reply)), None);
        assert!(result.try_recv().unwrap().unwrap_err().contains("16 questions are open"));
        questions.withdraw_all();
        assert!(results.iter_mut().all(|result| result.try_recv().is_err()));
    }
}
