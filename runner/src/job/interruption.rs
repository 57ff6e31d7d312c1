//! A run without a process of its agent: while a person is asked and another session needs the slot, and while the
//! control plane is out of reach.

use super::{conversation::Conversation, reporter::Command, run::RunEnd, transcript::Entry};

/// The prompt of an agent that goes on after the control plane was out of reach.
const CONTINUE: &str = "Your work was interrupted for a while. Continue it where it was interrupted; check what is done \
                        already before you repeat a step.";

/// Why a run has no process.
struct Interruption {
    /// Whether a person is asked, whose answer is the next prompt.
    is_question: bool,
    awaits_answer: bool,
    /// Whether the run has been cancelled meanwhile.
    is_cancelled: bool,
}

impl Conversation<'_> {
    /// Gives the slot up, and takes one again when a person has answered, or the control plane is back. Returns how the
    /// run ends, if it does meanwhile.
    pub(super) async fn wait_without_process(&mut self) -> Option<RunEnd> {
        self.forget_process().await;
        self.slot.release();
        let is_question = self.questions.is_asking();
        let mut interruption = Interruption { is_question, awaits_answer: is_question, is_cancelled: false };
        let mut is_reported = false;
        while !interruption.is_cancelled {
            let is_ready = !self.is_suspended && !interruption.awaits_answer;
            if is_ready && !self.slot.is_free() && !is_reported {
                is_reported = true;
                let text = "All slots of the runner are taken: the session goes on when one is free.";
                self.send(vec![Entry::log("info", text)]).await;
            }
            tokio::select! {
                () = self.slot.take(), if is_ready => return None,
                order = self.orders.recv() => self.obey_without_process(order, &mut interruption),
            }
        }
        Some(self.completed())
    }

    fn obey_without_process(&mut self, order: Option<Command>, interruption: &mut Interruption) {
        match order.unwrap_or(Command::Abandon) {
            Command::Say(text) => self.prompts.push(text),
            Command::Answer(answer) => {
                let prompt = self.questions.answer_without_process(&answer);
                interruption.awaits_answer &= prompt.is_none();
                self.prompts.extend(prompt);
            }
            Command::RefuseQuestion { question_id, reason } => {
                self.questions.refuse(&question_id, &reason);
                self.prompts.push(format!("Your question could not be asked: {reason}"));
                interruption.awaits_answer = false;
            }
            Command::Suspend => self.is_suspended = true,
            Command::Resume => {
                self.is_suspended = false;
                if !interruption.is_question {
                    self.prompts.insert(0, self.unanswered.take().unwrap_or_else(|| CONTINUE.to_owned()));
                }
            }
            Command::Cancel | Command::Abandon => interruption.is_cancelled = true,
        }
    }

    /// The process of the agent is gone, and with it whatever waited for answers, and its calls.
    pub(super) async fn forget_process(&mut self) {
        self.questions.orphan_all();
        self.children.orphan_all();
        let entries = self.transcript.end_calls();
        self.send(entries).await;
        self.idle.record_activity();
    }
}
