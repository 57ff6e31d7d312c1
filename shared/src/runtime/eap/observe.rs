//! A look at a task: what its agent reported, and where that leaves the run.

use serde_json::Value;

use super::{
    super::{Assignment, Entry, Finish, Observation, Phase},
    Eap, Memory,
};
use crate::{
    external::{
        MAX_GRANTS,
        report::Report,
        result::{Ended, Kept},
        tasks::{Change, Seen, Standing},
    },
    session::{
        outcome::{AGENT_LOST, Category, Failure},
        usage::Usage,
    },
};

impl Eap {
    pub(super) async fn look(&self, assignment: &Assignment, memory: Memory) -> Result<Observation, Failure> {
        let Some(seen) = self.seen(assignment, memory).await? else {
            return Err(Failure::new(Category::Internal, "TASK_GONE", "The task of this run is not there any more."));
        };
        let phase = self.phase(assignment, &seen).await?;
        let transcript =
            seen.reports.iter().flat_map(|(position, report)| entries(memory, *position, report)).collect();
        let standing = &seen.standing;
        Ok(Observation {
            state: Memory { told: seen.told, ..memory }.state(),
            phase,
            transcript,
            usage_scope: memory.task_id.to_string(),
            // Agents do not say which tokens they read and which they wrote.
            usage: Usage { tokens_output: standing.tokens, cost_micros: standing.cost_micros, ..Usage::default() },
            turns_with_changes: 0,
        })
    }

    async fn phase(&self, assignment: &Assignment, seen: &Seen) -> Result<Phase, Failure> {
        let standing = &seen.standing;
        Ok(match (standing.status.as_str(), &standing.result) {
            (_, Some(kept)) => Phase::Finished(finish(kept)),
            // Given up by a look that was broken off before it could say so.
            ("lost", _) if self.is_over(standing) && was_given_often(standing) => fell_silent(),
            ("lost", _) => failed(AGENT_LOST, "The agent was silent for too long; its work was taken from it."),
            ("waiting", _) => Phase::Starting,
            ("leased", _) if self.is_over(standing) => self.again(assignment, standing).await?,
            ("leased", _) => match seen.asks.as_ref().and_then(|report| report.question.clone()) {
                Some(question) if !standing.cancel => Phase::Waiting(question),
                _ => Phase::Working,
            },
            _ => Phase::Finished(Finish::Aborted),
        })
    }

    fn is_over(&self, standing: &Standing) -> bool {
        standing.lease_until.is_some_and(|until| until <= self.tasks.now()) && !standing.cancel
    }

    /// The lease is over: an agent that pulls may claim the task again, another is pushed to again; some few times.
    async fn again(&self, assignment: &Assignment, standing: &Standing) -> Result<Phase, Failure> {
        let task = (assignment.tenant_id, standing.task.task_id);
        if was_given_often(standing) {
            self.change(task, Change::GiveUp).await?;
            return Ok(fell_silent());
        }
        if assignment.agent.endpoint_url.is_none() {
            return Ok(Phase::Starting);
        }
        let until = self.tasks.lease_end();
        self.change(task, Change::PushAgain(until)).await?;
        let anew = Standing {
            pushed: false,
            lease_token: standing.lease_token + 1,
            lease_until: Some(until),
            ..standing.clone()
        };
        Box::pin(self.push(assignment, &anew)).await?;
        Ok(Phase::Working)
    }
}

/// Whether the task was given as often as it may be.
fn was_given_often(standing: &Standing) -> bool {
    standing.lease_token >= i64::from(MAX_GRANTS)
}

fn fell_silent() -> Phase {
    failed("LEASE_EXPIRED", "The agent took the task and fell silent, each time that it was given it.")
}

fn failed(code: &str, message: &str) -> Phase {
    Phase::Finished(Finish::Failed(Failure::transient(code, message)))
}

fn finish(kept: &Kept) -> Finish {
    match kept.status {
        Ended::Completed => Finish::Completed {
            result: Value::Object(kept.output_data.clone().unwrap_or_default()),
            success_rate: None,
            confidence_score: None,
        },
        Ended::Failed => {
            let said = kept.error_message.as_deref().filter(|text| !text.is_empty());
            Finish::Failed(Failure::new(
                Category::Agent,
                "AGENT_FAILED",
                said.unwrap_or("The agent says that it failed."),
            ))
        }
    }
}

fn entries(memory: Memory, position: i64, report: &Report) -> Vec<Entry> {
    let log = report.log.iter().map(|log| Entry::Log { level: log.level, message: log.message.clone() });
    let message = report.message.iter().map(|text| Entry::Message {
        role: "assistant".to_owned(),
        text: text.clone(),
        part: format!("{}/{position}", memory.task_id),
    });
    log.chain(message).collect()
}
