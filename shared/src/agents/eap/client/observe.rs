//! Observes a task: reads its reports and derives the phase of the run.

use chrono::TimeDelta;
use serde_json::Value;

use super::{Eap, TaskCursor};
use crate::{
    agents::{
        contract::{Assignment, Finish, Observation, Phase, TranscriptEntry},
        eap::server::{
            MAX_GRANTS,
            report::{Report, ReportEvent, TaskLog, TaskToolCall},
            result::{ResultStatus, StoredResult},
            tasks::{TaskChange, TaskKey, TaskSnapshot, TaskState},
        },
    },
    kernel::{
        failure::{AGENT_FAILED, AGENT_LOST, Category, Failure},
        usage::Usage,
    },
};

impl Eap {
    pub(super) async fn observe_task(
        &self,
        assignment: &Assignment,
        cursor: TaskCursor,
    ) -> Result<Observation, Failure> {
        let Some(snapshot) = self.find_task(assignment, cursor).await? else {
            return Err(Failure::new(Category::Internal, "TASK_GONE", "The task of this run is not there any more."));
        };
        let phase = self.task_phase(assignment, &snapshot).await?;
        let transcript = snapshot
            .reports
            .iter()
            .flat_map(|(position, report)| transcript_entries(cursor, *position, report))
            .collect();
        let task_state = &snapshot.state;
        Ok(Observation {
            state: TaskCursor { last_position: snapshot.last_position, ..cursor }.encode(),
            phase,
            transcript,
            usage_scope: cursor.task_id.to_string(),
            // Agents do not distinguish input and output tokens.
            usage: Usage { tokens_output: task_state.tokens, cost_micros: task_state.cost_micros, ..Usage::default() },
            turns_with_changes: 0,
        })
    }

    async fn task_phase(&self, assignment: &Assignment, snapshot: &TaskSnapshot) -> Result<Phase, Failure> {
        let task_state = &snapshot.state;
        Ok(match (task_state.status.as_str(), &task_state.result) {
            (_, Some(kept)) => match kept.retry_after_seconds {
                Some(seconds) if kept.status == ResultStatus::Failed && !task_state.cancel => {
                    let resume_at = self.tasks.now() + TimeDelta::seconds(seconds);
                    Phase::Limited { message: failure_message(kept), resume_at }
                }
                _ => Phase::Finished(run_result(kept)),
            },
            // An earlier observation marked it as lost and was interrupted.
            ("lost", _) if self.is_lease_expired(task_state) && has_no_grants_left(task_state) => agent_lost(),
            ("lost", _) => failed_phase(AGENT_LOST, "The agent was silent for too long, so its task was revoked."),
            ("waiting", _) => Phase::Starting,
            ("leased", _) if self.is_lease_expired(task_state) => self.regrant(assignment, task_state).await?,
            ("leased", _) => match snapshot.open_question.as_ref().and_then(|report| report.question.clone()) {
                Some(question) if !task_state.cancel => Phase::Waiting(question),
                _ => Phase::Working,
            },
            _ => Phase::Finished(Finish::Aborted),
        })
    }

    fn is_lease_expired(&self, task_state: &TaskState) -> bool {
        task_state.lease_until.is_some_and(|until| until <= self.tasks.now()) && !task_state.cancel
    }

    /// The lease has expired: the agent may claim the task again, or gets it pushed again, up to a limit.
    async fn regrant(&self, assignment: &Assignment, task_state: &TaskState) -> Result<Phase, Failure> {
        let task = TaskKey { tenant_id: assignment.tenant_id, task_id: task_state.task.task_id };
        if has_no_grants_left(task_state) {
            self.change_task(task, TaskChange::GiveUp).await?;
            return Ok(agent_lost());
        }
        if assignment.agent.endpoint_url.is_none() {
            return Ok(Phase::Starting);
        }
        let until = self.tasks.lease_end();
        self.change_task(task, TaskChange::PushAgain(until)).await?;
        let anew = TaskState {
            pushed: false,
            lease_token: task_state.lease_token + 1,
            lease_until: Some(until),
            ..task_state.clone()
        };
        Box::pin(self.push_task(assignment, &anew)).await?;
        Ok(Phase::Working)
    }
}

/// Whether the task was granted as often as allowed.
fn has_no_grants_left(task_state: &TaskState) -> bool {
    task_state.lease_token - i64::from(task_state.reissues) >= i64::from(MAX_GRANTS)
}

fn agent_lost() -> Phase {
    failed_phase("LEASE_EXPIRED", "The agent took the task and fell silent, each time that it was given it.")
}

fn failed_phase(code: &str, message: &str) -> Phase {
    Phase::Finished(Finish::Failed(Failure::transient(code, message)))
}

fn failure_message(kept: &StoredResult) -> String {
    let said = kept.error_message.as_deref().filter(|text| !text.is_empty());
    said.unwrap_or("The agent says that it failed.").to_owned()
}

fn run_result(kept: &StoredResult) -> Finish {
    match kept.status {
        ResultStatus::Completed => Finish::Completed {
            result: Value::Object(kept.output_data.clone().unwrap_or_default()),
            success_rate: None,
            confidence_score: None,
        },
        ResultStatus::Failed => Finish::Failed(Failure::new(
            kept.error_category.map_or(Category::Agent, Category::from),
            kept.error_code.as_deref().unwrap_or(AGENT_FAILED),
            failure_message(kept),
        )),
    }
}

fn transcript_entries(cursor: TaskCursor, position: i64, report: &Report) -> Vec<TranscriptEntry> {
    let part = format!("{}/{position}", cursor.task_id);
    let own_log = report.log.iter().map(log_entry);
    let own_message = report.message.iter().map(|text| message_entry("assistant", text, part.clone()));
    let events = report.events.iter().enumerate().map(|(at, event)| match event {
        ReportEvent::Log(log) => log_entry(log),
        ReportEvent::Message(text) => message_entry("assistant", text, format!("{part}/{at}")),
        ReportEvent::Thought(text) => message_entry("reasoning", text, format!("{part}/{at}")),
        ReportEvent::Tool(call) => tool_entry(call, format!("{}/{}", cursor.task_id, call.id)),
    });
    own_log.chain(own_message).chain(events).collect()
}

fn log_entry(log: &TaskLog) -> TranscriptEntry {
    TranscriptEntry::Log { level: log.level, message: log.message.clone() }
}

fn message_entry(role: &str, text: &str, part: String) -> TranscriptEntry {
    TranscriptEntry::Message { role: role.to_owned(), text: text.to_owned(), part }
}

fn tool_entry(call: &TaskToolCall, part: String) -> TranscriptEntry {
    TranscriptEntry::Tool {
        tool: call.tool.clone(),
        state: call.state.name().to_owned(),
        title: call.title.clone(),
        input: call.input.clone(),
        output: call.output.clone(),
        part,
    }
}
