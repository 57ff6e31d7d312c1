//! Checks of what is said during a task: questions and answers, messages, and cancellation.

use anyhow::Result;
use serde_json::json;
use shared::kernel::id::SessionId;

use super::{
    super::{ANSWER_FILE, checks::comes, plane::LEASE},
    Trial,
};

impl Trial<'_> {
    /// A task that asks a question, keeps its lease until it is answered, and uses the answer.
    pub(super) async fn asks(&mut self) -> Result<()> {
        if self.asked.no_questions {
            self.checks.skip("it asks a question");
            return Ok(());
        }
        let prompt = self.asked.question_prompt.clone();
        let id = self.offer(&prompt, |_| {}).await?;
        let question = self.of(id, |task| task.question.clone());
        let asked = comes(self.patience, || question().flatten().is_some()).await;
        let why = || "no report had a question; an agent that cannot ask is checked with --no-questions".to_owned();
        if !self.checks.holds("it asks a question", asked, why) {
            return Ok(());
        }
        let reports = self.of(id, |task| task.reports.len());
        let before = reports();
        let renewed = comes(LEASE, || reports() > before).await;
        self.checks.holds("it keeps its lease while it waits for the answer", renewed, || {
            format!("no report arrived for {} s", LEASE.as_secs())
        });
        let question_id = question().flatten().map(|question| question.question_id);
        let text = format!("teal-{}", &SessionId::new().to_string()[24..]);
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.send_message(json!({"kind": "answer", "answer": {"question_id": question_id, "text": text}}));
        }
        let received = self.of(id, |task| task.received);
        let acknowledged = comes(self.patience / 2, || received() == Some(1)).await;
        self.checks.holds("it acknowledges the answer", acknowledged, || {
            "no report named the message in `received`".to_owned()
        });
        let used = match self.first_result(id).await {
            Some(result) => self.contains(&self.workspace, &result, ANSWER_FILE, &text).await,
            None => Err("there is no result".to_owned()),
        };
        self.checks.note("it works by the answer", used);
        Ok(())
    }

    /// A long task whose lease must be renewed, and which is cancelled.
    pub(super) async fn obeys(&mut self) -> Result<()> {
        let prompt = self.asked.long_prompt.clone();
        let id = self.offer(&prompt, |_| {}).await?;
        let reports = self.of(id, |task| task.reports.len());
        let began = comes(self.patience, || reports() > Some(0)).await;
        self.checks.holds("it reports on a long task", began, || "it did not".to_owned());
        let before = reports();
        let renewed = comes(LEASE, || reports() > before).await;
        self.checks.holds("it renews its lease", renewed, || format!("no report arrived for {} s", LEASE.as_secs()));
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.send_message(json!({"kind": "text", "text": "A person says hello."}));
        }
        let received = self.of(id, |task| task.received);
        let acknowledged = comes(self.patience / 2, || received() == Some(1)).await;
        self.checks.holds("it acknowledges a message of a person", acknowledged, || {
            "no report named the message in `received`".to_owned()
        });
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.cancel = true;
        }
        let results = self.of(id, |task| task.results.len());
        let ended = comes(self.patience / 2, || results() > Some(0)).await;
        self.checks.holds("it ends a cancelled task and sends its result", ended, || "no result arrived".to_owned());
        Ok(())
    }

    /// A long task that was reassigned: every report on it is refused.
    pub(super) async fn drops_what_it_lost(&mut self) -> Result<()> {
        let prompt = self.asked.long_prompt.clone();
        let id = self.offer(&prompt, |_| {}).await?;
        let reports = self.of(id, |task| task.reports.len());
        comes(self.patience, || reports() > Some(0)).await;
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.lost = true;
        }
        let next = self.offer(&self.asked.prompt.clone(), |_| {}).await?;
        let results = self.of(next, |task| task.results.len());
        let free = comes(self.patience / 2, || results() > Some(0)).await;
        self.checks.holds("it drops a reassigned task and works on the next one", free, || {
            "the next task was not done".to_owned()
        });
        Ok(())
    }
}
