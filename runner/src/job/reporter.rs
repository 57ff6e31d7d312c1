//! Reports on one task: keeps its lease, sends what happens in order, and receives what people say.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    control_plane::{
        CallError, CallFailure, ControlPlane,
        wire::{Answer, Report, ReportAnswer, ReportEvent, Task},
    },
    job_gauge::JobGauge,
};

use super::{outage::OutageLimits, run::Job, transcript::Entry};

/// How often the lease is renewed if nothing happens.
const RENEWAL: Duration = Duration::from_secs(15);

/// The pause between reports while a person is asked, whose answer comes with one, and no signal would announce it. It
/// grows with the time that passes.
const FIRST_ANSWER_PAUSE: Duration = Duration::from_secs(2);

/// The pause after a report that could not be delivered, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The most events of one report, and after how many bytes no further one is added: the largest report has 1 MiB.
const MAX_EVENTS: usize = 200;
const FULL_REPORT: usize = 512 * 1024;

/// What the job has to report.
#[derive(Debug)]
pub enum Notice {
    /// Something that happened.
    Entry(Entry),
    /// The usage so far.
    Usage { tokens: i64, cost_usd: Option<String> },
}

impl Notice {
    /// The phase of the run that begins.
    pub(super) const fn phase(name: &'static str) -> Self {
        Self::Entry(Entry::Phase(name))
    }

    /// An entry of the session's log.
    pub(super) fn log(level: &'static str, message: &str) -> Self {
        Self::Entry(Entry::log(level, message))
    }
}

/// What the control plane wants from the job.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A person says something to the agent.
    Say(String),
    /// A person answered a question.
    Answer(Answer),
    /// The control plane does not take a question.
    RefuseQuestion { question_id: String, reason: String },
    /// Let no process work until [`Command::Resume`]: the control plane is out of reach, and the lease may have ended.
    Suspend,
    /// The task is still ours: go on.
    Resume,
    /// End the work, and deliver what exists.
    Cancel,
    /// The task is another's now: end the work, and deliver nothing.
    Abandon,
}

/// Sends reports until the notices end, then everything that is left. Returns whether the task is still ours.
pub async fn report_until_end(
    plane: &ControlPlane,
    job: &Job,
    limits: OutageLimits,
    (mut notices, commands): (mpsc::Receiver<Notice>, mpsc::UnboundedSender<Command>),
) -> bool {
    let mut reporter = Reporter::new(plane, job, limits, commands);
    let signals = plane.signals().watch_task(&job.task.task_id);
    loop {
        let more = tokio::select! {
            notice = notices.recv() => notice,
            () = sleep_until(reporter.due) => { reporter.must_send = true; None }
            () = signals.wait_for_change() => { reporter.must_send = true; None }
        };
        match more {
            Some(notice) => reporter.take(notice),
            None if !reporter.must_send => break,
            None => {}
        }
        while let Ok(notice) = notices.try_recv() {
            reporter.take(notice);
        }
        if !reporter.send_all().await {
            return false;
        }
    }
    reporter.send_all().await
}

struct Reporter<'a> {
    plane: &'a ControlPlane,
    task: &'a Task,
    gauge: &'a JobGauge,
    limits: OutageLimits,
    commands: mpsc::UnboundedSender<Command>,
    waiting: VecDeque<Entry>,
    /// When the questions without an answer were asked, by their ids.
    asked: BTreeMap<String, Instant>,
    report: Report,
    /// When the lease is renewed at the latest.
    due: Instant,
    must_send: bool,
    is_cancelled: bool,
    is_suspended: bool,
}

impl<'a> Reporter<'a> {
    fn new(
        plane: &'a ControlPlane,
        Job { task, gauge, .. }: &'a Job,
        limits: OutageLimits,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        let report = Report { lease_token: task.lease.token, ..Report::default() };
        Self {
            plane,
            task,
            gauge,
            limits,
            commands,
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            report,
            due: Instant::now(),
            must_send: false,
            is_cancelled: false,
            is_suspended: false,
        }
    }

    fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Entry(entry) => {
                if let Entry::Phase(name) = entry {
                    self.gauge.set_phase(name);
                }
                self.waiting.push_back(entry);
            }
            Notice::Usage { tokens, cost_usd } => {
                self.report.tokens_used = self.report.tokens_used.max(tokens);
                self.report.cost_usd = cost_usd.or_else(|| self.report.cost_usd.take());
            }
        }
    }

    /// Sends what waits, one report after the other. False when the task is lost.
    async fn send_all(&mut self) -> bool {
        while self.must_send || !self.waiting.is_empty() {
            self.must_send = false;
            self.fill();
            if !self.deliver().await {
                let _ = self.commands.send(Command::Abandon);
                return false;
            }
            let asked = self.asked.values().max().filter(|_| !self.plane.signals().is_connected());
            self.due = Instant::now() + pause_before_next(asked.map(Instant::elapsed));
        }
        true
    }

    /// Puts what waits into the next report: a phase that begins and the events after it, or a question.
    fn fill(&mut self) {
        self.report.seq += 1;
        (self.report.phase, self.report.events, self.report.question) = (None, Vec::new(), None);
        let mut bytes = 0;
        while let Some(next) = self.waiting.pop_front() {
            let event = match next {
                Entry::Question(question) if self.report.events.is_empty() => {
                    self.asked.insert(question.question_id.clone(), Instant::now());
                    self.report.question = Some(question);
                    return;
                }
                Entry::Phase(name) if self.report.events.is_empty() && self.report.phase.is_none() => {
                    self.report.phase = Some(name);
                    continue;
                }
                Entry::Question(_) | Entry::Phase(_) => return self.waiting.push_front(next),
                Entry::Message(text) => ReportEvent::Message(text),
                Entry::Thought(text) => ReportEvent::Thought(text),
                Entry::Tool(call) => ReportEvent::Tool(call),
                Entry::Log(entry) => ReportEvent::Log(entry),
            };
            bytes += serde_json::to_vec(&event).map_or(0, |json| json.len());
            self.report.events.push(event);
            if self.report.events.len() >= MAX_EVENTS || bytes >= FULL_REPORT {
                return;
            }
        }
    }

    /// Repeats a report until it arrives. The number makes a repetition harmless.
    async fn deliver(&mut self) -> bool {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.report_once(begun).await {
                Ok(answer) => {
                    self.resume();
                    self.obey(answer);
                    return true;
                }
                Err(error) if error.failure.is_transient() && begun.elapsed() < self.limits.give_up_after => {
                    tracing::warn!(%error, task.id = self.task.task_id, "a report is sent again");
                    tokio::time::sleep(pause_of(&error).unwrap_or(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) if error.failure == CallFailure::Refused => {
                    // A part of it breaks a rule; the others are not to be lost with it.
                    tracing::error!(%error, task.id = self.task.task_id, "a report was refused and is left out");
                    self.give_up_question(&error);
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, task.id = self.task.task_id, "the task is lost");
                    return false;
                }
            }
        }
    }

    /// Sends the report. Suspends the work where no answer comes in time.
    async fn report_once(&mut self, begun: Instant) -> Result<ReportAnswer, CallError> {
        let (commands, is_suspended) = (&self.commands, &mut self.is_suspended);
        let mut call = std::pin::pin!(self.plane.report(&self.task.task_id, &self.report));
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                () = sleep_until(begun + self.limits.suspend_after), if !*is_suspended => {
                    *is_suspended = true;
                    let _ = commands.send(Command::Suspend);
                }
            }
        }
    }

    fn resume(&mut self) {
        if std::mem::take(&mut self.is_suspended) {
            let _ = self.commands.send(Command::Resume);
            let text = "The control plane was out of reach for longer than a lease: the session went on from then.";
            self.waiting.push_back(Entry::log("warning", text));
        }
    }

    /// A question that is left out would leave the agent waiting for ever.
    fn give_up_question(&mut self, error: &CallError) {
        if let Some(question) = self.report.question.take() {
            self.asked.remove(&question.question_id);
            let command = Command::RefuseQuestion { question_id: question.question_id, reason: error.message.clone() };
            let _ = self.commands.send(command);
        }
    }

    /// A message is acknowledged once the job has it: what comes after its end stays unread, as the protocol expects.
    fn obey(&mut self, answer: ReportAnswer) {
        for message in answer.messages {
            if message.number > self.report.received {
                if let Some(answer) = &message.answer {
                    self.asked.remove(&answer.question_id);
                }
                let command = command_of(message.text, message.answer);
                if command.is_some_and(|command| self.commands.send(command).is_err()) {
                    break;
                }
                self.report.received = message.number;
                // Acknowledged at once: a message that is not is repeated with each answer.
                self.must_send = true;
            }
        }
        if answer.cancel && !self.is_cancelled {
            self.is_cancelled = true;
            let _ = self.commands.send(Command::Cancel);
        }
    }
}

/// The pause before the next report, where the newest open question was asked so long ago.
fn pause_before_next(asked: Option<Duration>) -> Duration {
    asked.map_or(RENEWAL, |asked| (FIRST_ANSWER_PAUSE + asked / 20).min(RENEWAL))
}

fn pause_of(error: &CallError) -> Option<Duration> {
    match error.failure {
        CallFailure::Busy { retry_after } => retry_after.map(|pause| pause.min(LONGEST_PAUSE)),
        _ => None,
    }
}

fn command_of(text: Option<String>, answer: Option<Answer>) -> Option<Command> {
    answer.map(Command::Answer).or_else(|| text.map(Command::Say))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_frequent_after_a_question_and_then_as_seldom_as_always() {
        let pauses =
            [Some(0), Some(60), Some(3600), None].map(|asked| pause_before_next(asked.map(Duration::from_secs)));
        assert_eq!(pauses.map(|pause| pause.as_secs()), [2, 5, 15, 15]);
    }

    #[test]
    fn a_message_is_an_answer_or_a_text() {
        let answer = Answer { question_id: "1".into(), ..Answer::default() };
        assert_eq!(command_of(None, Some(answer.clone())), Some(Command::Answer(answer)));
        assert_eq!(command_of(Some("Go on.".into()), None), Some(Command::Say("Go on.".into())));
        assert_eq!(command_of(None, None), None);
    }
}
