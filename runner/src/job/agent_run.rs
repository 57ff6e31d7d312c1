//! The agent of one task, from its first process to its last.

use tokio::sync::mpsc;

use super::{
    agent_start::{AgentEnd, AgentRun, SessionServices},
    attachments::Attachments,
    children::ChildRequests,
    conversation::Conversation,
    idle_watch::IdleWatch,
    model_calls::ModelCalls,
    questions::OpenQuestions,
    reporter::Command,
    run::{RunEnd, RunReport},
    session_slots::SlotHolder,
    steering::Steering,
    transcript::Transcript,
};
use crate::acp::PermissionPolicy;

/// How often an agent is started again when its process ends in the middle of its work.
const RESTARTS: usize = 1;

impl AgentRun<'_> {
    /// Lets the agent work until its last turn ends, or until the control plane ends it: it alone knows for how long a
    /// session may run, because the time in which a person is asked does not count.
    pub(super) async fn drive(&self, orders: mpsc::UnboundedReceiver<Command>, slot: &mut SlotHolder) -> RunReport {
        let policy = match self.read_policy() {
            Ok(policy) => policy,
            Err(end) => return RunReport::without_work(end),
        };
        let services = match SessionServices::start(self).await {
            Ok(services) => services,
            Err(end) => return RunReport::without_work(end),
        };
        let attached = self.folder.join("attached");
        let inner_work_tree = self.find_inner_work_tree(&services);
        let mut conversation = Conversation {
            services,
            notices: self.notices,
            orders,
            slot,
            gauge: &self.job.gauge,
            idle: IdleWatch::new(),
            is_suspended: false,
            questions: OpenQuestions::new(self.job.task.lease.token),
            children: ChildRequests::new(self.plane, &self.job.task),
            attachments: Attachments::new(attached, self.workspace, inner_work_tree),
            prompts: [self.first_prompt()].into_iter().chain(self.said.iter().cloned()).collect(),
            steering: Steering::default(),
            unanswered: None,
            transcript: Transcript::default(),
            calls: ModelCalls::default(),
        };
        let end = self.work(&mut conversation, &policy).await;
        conversation.report_traffic().await;
        conversation.into_report(end)
    }

    /// The rules of the session, and those of the runner for everything about which it says nothing.
    fn read_policy(&self) -> Result<PermissionPolicy, RunEnd> {
        let Some(rules) = self.job.task.input_data.get("permissions") else {
            return Ok(self.context.permissions.clone());
        };
        let policy = PermissionPolicy::parse(rules).map_err(|error| RunEnd::failed(error.code(), &error))?;
        Ok(policy.or(&self.context.permissions))
    }

    async fn work(&self, conversation: &mut Conversation<'_>, policy: &PermissionPolicy) -> RunEnd {
        let mut session: Option<String> = None;
        let mut first: Option<RunEnd> = None;
        let mut restarts = 0;
        loop {
            let ended = match self.start(&conversation.services, policy, session.as_deref()).await {
                Err(ended) => join_failures(first.as_ref(), ended),
                Ok(mut agent) => {
                    session = Some(agent.session.clone());
                    conversation.converse(&mut agent).await
                }
            };
            match ended {
                AgentEnd::Exited(end) if restarts < RESTARTS => {
                    restarts += 1;
                    conversation.prepare_restart(&end, session.is_some()).await;
                    first = Some(end);
                }
                AgentEnd::Final(end) | AgentEnd::Exited(end) => return end,
                AgentEnd::Idle => {
                    if let Some(end) = conversation.wait_without_process().await {
                        return end;
                    }
                }
            }
        }
    }

    fn first_prompt(&self) -> String {
        let context = &self.job.task.context;
        let earlier =
            context.continuation.as_ref().map(|continued| continued.summary.as_str()).filter(|text| !text.is_empty());
        let parent = context.parent_summary.as_deref().filter(|text| !text.is_empty());
        let before = [
            parent.map(|text| format!("The session that this one belongs to came to: {text}")),
            earlier.map(|text| format!("The work so far, which is in the files already: {text}")),
        ];
        before.into_iter().flatten().chain([context.prompt.clone()]).collect::<Vec<_>>().join("\n\n")
    }
}

/// The failure of an agent that could not be started again, with the one that made it necessary.
fn join_failures(first: Option<&RunEnd>, second: AgentEnd) -> AgentEnd {
    let Some(RunEnd::Failed { code, message }) = first else { return second };
    let join = |end: RunEnd| match end {
        RunEnd::Failed { code: second_code, message: second } => {
            let message = format!("{message}. It could not be started again: {second_code}: {second}");
            RunEnd::Failed { code: code.clone(), message }
        }
        completed @ RunEnd::Completed { .. } => completed,
    };
    match second {
        AgentEnd::Final(end) => AgentEnd::Final(join(end)),
        AgentEnd::Exited(end) => AgentEnd::Exited(join(end)),
        AgentEnd::Idle => AgentEnd::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_restart_is_reported_with_the_failure_before_it() {
        let failed = |code, message: &str| RunEnd::failed(code, &message);
        let (first, second) = (failed("AGENT_EXITED", "it ended"), failed("AGENT_UNSUPPORTED", "it cannot resume"));
        assert_eq!(join_failures(None, second.clone().into()), AgentEnd::Final(second.clone()));
        let expected = "it ended. It could not be started again: AGENT_UNSUPPORTED: it cannot resume";
        assert_eq!(join_failures(Some(&first), second.into()), AgentEnd::Final(failed("AGENT_EXITED", expected)));
    }
}
