//! The turns of an agent, with everything around them: what it reports, whom it asks, and what people say.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    agent_start::{AgentEnd, SessionServices, StartedAgent, end_of_failure, end_of_sandbox},
    approval::describe_request,
    attachments::Attachments,
    children::ChildRequests,
    idle_watch::IdleWatch,
    model_calls::ModelCalls,
    questions::{Asker, Destination, OpenQuestions, question_of, question_of_sessions},
    reporter::{Command, Notice},
    run::{RunEnd, RunReport},
    session_slots::SlotHolder,
    steering::{Steering, TurnMoment, steering_prompt},
    transcript::{Entry, Transcript},
};
use crate::{
    acp::{AgentConnection, AgentFailure, AgentUpdate, PermissionAnswer, PermissionRequestId, TurnEnd, TurnEndReason},
    control_plane::wire::Question,
    egress::DeniedConnection,
    gateway::GatewayEvent,
    job_gauge::JobGauge,
    mcp::ToolCall,
    sandbox::SandboxEnd,
};

/// How long an agent may take to end a turn that was cancelled.
const CANCEL_GRACE: Duration = Duration::from_secs(15);

/// The prompt of an agent that goes on after its process ended.
const CONTINUE: &str = "Your process ended unexpectedly and was started again. Continue your work where it was \
                        interrupted; check what is done already before you repeat a step.";

/// The state of a run that outlives a process of its agent.
pub(super) struct Conversation<'a> {
    pub(super) services: SessionServices,
    pub(super) notices: &'a mpsc::Sender<Notice>,
    pub(super) orders: mpsc::UnboundedReceiver<Command>,
    pub(super) slot: &'a mut SlotHolder,
    pub(super) gauge: &'a JobGauge,
    pub(super) idle: IdleWatch,
    /// Whether no process may work, because the control plane is out of reach.
    pub(super) is_suspended: bool,
    pub(super) questions: OpenQuestions,
    pub(super) attachments: Attachments,
    pub(super) children: ChildRequests,
    /// What the next turn begins with.
    pub(super) prompts: Vec<String>,
    /// Whether what people said ends the running turn.
    pub(super) steering: Steering,
    /// The prompt of the running turn, until the agent has reported something.
    pub(super) unanswered: Option<String>,
    pub(super) transcript: Transcript,
    pub(super) calls: ModelCalls,
}

/// Why a turn is over, or the wait for the next.
enum TurnOutcome {
    Ended(TurnEnd),
    Failed(AgentFailure),
    /// By a person or the control plane.
    Cancelled,
    SandboxEnded(SandboxEnd),
    /// The provider of the model fails for too long.
    GivenUp,
    /// A person is asked, and the process is not needed for the time being.
    Idle,
}

impl Conversation<'_> {
    /// Lets the agent take turns until there is nothing more to say to it, and ends its process.
    pub(super) async fn converse(&mut self, agent: &mut StartedAgent) -> AgentEnd {
        let _ = self.notices.send(Notice::phase("working")).await;
        self.gauge.set_process(Some(agent.sandbox.usage_updates()));
        let end = self.take_turns(agent).await;
        self.gauge.set_process(None);
        agent.connection.close_input();
        agent.sandbox.stop();
        agent.sandbox.wait().await;
        end
    }

    /// What people say during a turn becomes the prompt of the next.
    async fn take_turns(&mut self, agent: &mut StartedAgent) -> AgentEnd {
        while !self.prompts.is_empty() {
            let prompt = std::mem::take(&mut self.prompts).join("\n\n");
            let mut outcome = self.take_turn(agent, &prompt).await;
            self.flush(agent).await;
            if let TurnOutcome::Ended(end) = &outcome {
                if let Some(failed) = self.calls.failure() {
                    return failed.into();
                }
                if end.reason == TurnEndReason::Refusal {
                    return RunEnd::failed("AGENT_REFUSED", &"the agent refused the work").into();
                }
                if let Some(warning) = describe_cut_turn(&end.reason) {
                    self.send(vec![Entry::log("warning", &warning)]).await;
                }
                match self.wait_for_prompt(agent).await {
                    Some(other) => outcome = other,
                    None => continue,
                }
            }
            return self.end_of(agent, outcome).await;
        }
        self.completed().into()
    }

    async fn take_turn(&mut self, agent: &mut StartedAgent, prompt: &str) -> TurnOutcome {
        (self.unanswered, self.steering) = (Some(prompt.to_owned()), Steering::default());
        let prompted = agent.connection.clone();
        let mut turn = std::pin::pin!(prompted.prompt(prompt));
        let mut cancelled_until = None;
        loop {
            let grace = sleep_until(cancelled_until.unwrap_or_else(Instant::now));
            tokio::select! {
                biased;
                Some(update) = agent.updates.next() => self.take_update(&agent.connection, update).await,
                Some(event) = self.services.model_calls.recv() => self.count(event).await,
                () = std::future::ready(()), if self.calls.are_given_up() => return TurnOutcome::GivenUp,
                Some(denied) = self.services.denied.recv() => self.report_denied(&denied).await,
                () = std::future::ready(()), if self.is_steering_due() => self.steer(agent).await,
                ended = &mut turn => return match ended {
                    _ if cancelled_until.is_some() => TurnOutcome::Cancelled,
                    Ok(end) => TurnOutcome::Ended(end),
                    Err(failure) => TurnOutcome::Failed(failure),
                },
                ended = agent.sandbox.wait() => {
                    return cancelled_until.map_or(TurnOutcome::SandboxEnded(ended), |_| TurnOutcome::Cancelled);
                }
                () = grace, if cancelled_until.is_some() => return TurnOutcome::Cancelled,
                Some(call) = self.services.tool_calls.recv() => self.take_call(call).await,
                () = self.children.pass_on() => self.idle.record_activity(),
                () = self.idle.wait_until_due(self.slot), if agent.is_resumable && self.questions.is_asking() => {
                    return TurnOutcome::Idle;
                }
                Some(order) = self.orders.recv() => match order {
                    Command::Abandon => return TurnOutcome::Cancelled,
                    Command::Suspend if agent.is_resumable => return self.suspend(),
                    Command::Cancel => {
                        cancelled_until = Some(Instant::now() + CANCEL_GRACE);
                        self.cancel(agent).await;
                    }
                    other => self.obey(agent, other).await,
                },
            }
        }
    }

    /// Waits while a person is asked by a tool whose call has ended: the answer is the next prompt. Takes what people
    /// have said already. Returns why there will be no further turn, if so.
    async fn wait_for_prompt(&mut self, agent: &mut StartedAgent) -> Option<TurnOutcome> {
        loop {
            let order = match self.orders.try_recv() {
                Ok(order) => order,
                Err(_) if !self.prompts.is_empty() || !self.questions.awaits_input() => return None,
                Err(_) => tokio::select! {
                    ended = agent.sandbox.wait() => return Some(TurnOutcome::SandboxEnded(ended)),
                    () = self.idle.wait_until_due(self.slot), if agent.is_resumable => return Some(TurnOutcome::Idle),
                    Some(update) = agent.updates.next() => { self.take_update(&agent.connection, update).await; continue }
                    Some(event) = self.services.model_calls.recv() => { self.count(event).await; continue }
                    Some(denied) = self.services.denied.recv() => { self.report_denied(&denied).await; continue }
                    Some(call) = self.services.tool_calls.recv() => { self.take_call(call).await; continue }
                    () = self.children.pass_on() => continue,
                    order = self.orders.recv() => order.unwrap_or(Command::Abandon),
                },
            };
            match order {
                Command::Cancel | Command::Abandon => return Some(TurnOutcome::Cancelled),
                Command::Suspend if agent.is_resumable => return Some(self.suspend()),
                other => self.obey(agent, other).await,
            }
        }
    }

    fn suspend(&mut self) -> TurnOutcome {
        self.is_suspended = true;
        TurnOutcome::Idle
    }

    fn is_steering_due(&self) -> bool {
        self.steering.is_due(TurnMoment {
            has_begun: self.unanswered.is_none(),
            calls_tool: self.transcript.has_open_calls(),
            asks_person: self.questions.is_asking(),
        })
    }

    /// Cancels the running turn for what people have said, with which the next one begins.
    async fn steer(&mut self, agent: &StartedAgent) {
        self.steering = Steering::Asked;
        self.prompts = vec![steering_prompt(&std::mem::take(&mut self.prompts))];
        if let Err(failure) = agent.connection.cancel().await {
            tracing::warn!(%failure, "the agent receives what was said when its turn ends");
        }
    }

    /// Cancels the running turn. Whatever the agent waits for ends.
    async fn cancel(&mut self, agent: &StartedAgent) {
        self.questions.withdraw_all();
        if let Err(failure) = agent.connection.cancel().await {
            tracing::warn!(%failure, "the agent could not be asked to end its turn");
        }
    }

    async fn obey(&mut self, agent: &StartedAgent, order: Command) {
        self.idle.record_activity();
        let destination = match order {
            Command::Say(text) => Destination::Prompt(text),
            Command::Answer(answer) => self.questions.answer(&answer),
            Command::RefuseQuestion { question_id, reason } => self.questions.refuse(&question_id, &reason),
            // An agent that cannot resume works on.
            Command::Suspend | Command::Resume | Command::Cancel | Command::Abandon => Destination::Nowhere,
        };
        match destination {
            Destination::Prompt(text) => {
                self.prompts.push(text);
                self.steering.request();
            }
            Destination::Permission { id, granted } => decide(&agent.connection, id, granted).await,
            Destination::Nowhere => {}
        }
    }

    async fn take_update(&mut self, connection: &AgentConnection, update: AgentUpdate) {
        self.idle.record_activity();
        if !matches!(update, AgentUpdate::Other { .. } | AgentUpdate::Usage(_)) {
            self.unanswered = None;
        }
        if let AgentUpdate::PermissionRequest(request) = update {
            let question = describe_request(&request);
            if let Some(granted) = self.questions.take_decision(&question) {
                return decide(connection, request.id, granted).await;
            }
            let question = self.questions.ask(question, Asker::Permission(request.id));
            self.report_question(question).await;
        } else {
            let entries = self.transcript.add(update);
            self.send(entries).await;
        }
    }

    async fn take_call(&mut self, call: ToolCall) {
        self.idle.record_activity();
        match call {
            ToolCall::AskPerson { asked, reply } => {
                let question = self.questions.ask(question_of(asked), Asker::Tool(reply));
                self.report_question(question).await;
            }
            ToolCall::Attach { file, reply } => {
                // Nobody may wait for it any more; the file is attached all the same.
                let _ = reply.send(self.attachments.add(&file).await);
            }
            ToolCall::SpawnSession { asked, reply } => self.children.ask(asked, reply),
            ToolCall::WaitFor { awaited, reply } => {
                let sessions = Some(awaited.sessions).filter(|ids| !ids.is_empty());
                let sessions = sessions.unwrap_or_else(|| self.children.created().to_vec());
                if sessions.is_empty() {
                    let _ = reply.send(Err("you have created no session: name those to wait for".to_owned()));
                    return;
                }
                let question = self.questions.ask(question_of_sessions(&sessions), Asker::Tool(reply));
                self.report_question(question).await;
            }
        }
    }

    async fn report_question(&mut self, question: Option<Question>) {
        let Some(question) = question else { return };
        let mut entries = self.transcript.close_message();
        entries.push(Entry::Question(question));
        self.send(entries).await;
    }

    async fn end_of(&mut self, agent: &mut StartedAgent, outcome: TurnOutcome) -> AgentEnd {
        match outcome {
            TurnOutcome::Ended(_) | TurnOutcome::Cancelled => self.completed().into(),
            TurnOutcome::Failed(failure) => match self.calls.failure() {
                Some(end) => end.into(),
                None => end_of_failure(&mut agent.sandbox, &failure).await,
            },
            TurnOutcome::GivenUp => self.calls.failure().unwrap_or_else(|| self.completed()).into(),
            TurnOutcome::SandboxEnded(end) => end_of_sandbox(&agent.sandbox, end),
            TurnOutcome::Idle => AgentEnd::Idle,
        }
    }

    pub(super) fn completed(&self) -> RunEnd {
        RunEnd::Completed { text: self.transcript.last_message().to_owned() }
    }

    /// Prepares for another process of the agent, which has a session or begins anew. A prompt that was lost with the
    /// process is repeated.
    pub(super) async fn prepare_restart(&mut self, end: &RunEnd, has_session: bool) {
        self.forget_process().await;
        if has_session {
            self.prompts.insert(0, self.unanswered.take().unwrap_or_else(|| CONTINUE.to_owned()));
        }
        if let RunEnd::Failed { message, .. } = end {
            let text = format!("The agent is started again, because its process ended: {message}");
            self.send(vec![Entry::log("warning", &text)]).await;
        }
    }

    /// What the agent sent before its turn ended.
    async fn flush(&mut self, agent: &mut StartedAgent) {
        while let Some(update) = agent.updates.try_next() {
            self.take_update(&agent.connection, update).await;
        }
        while let Ok(event) = self.services.model_calls.try_recv() {
            self.count(event).await;
        }
        while let Ok(denied) = self.services.denied.try_recv() {
            self.report_denied(&denied).await;
        }
        let entries = self.transcript.close_message();
        self.send(entries).await;
    }

    pub(super) async fn send(&self, entries: Vec<Entry>) {
        for entry in entries {
            let _ = self.notices.send(Notice::Entry(entry)).await;
        }
    }

    async fn count(&mut self, event: GatewayEvent) {
        self.idle.record_activity();
        let notice = self.calls.record(event, self.transcript.cost());
        let _ = self.notices.send(notice).await;
    }

    async fn report_denied(&self, denied: &DeniedConnection) {
        let _ = self.notices.send(Notice::log("warning", &denied.to_string())).await;
    }

    /// Reports what the agent moved over the network, if it did.
    pub(super) async fn report_traffic(&self) {
        let totals = self.services.proxy.totals();
        if totals.connections > 0 {
            let text = format!(
                "The agent made {} connections to the network: {} bytes sent, {} received.",
                totals.connections, totals.sent_bytes, totals.received_bytes
            );
            let _ = self.notices.send(Notice::log("info", &text)).await;
        }
    }

    /// What the run came to.
    pub(super) fn into_report(self, end: RunEnd) -> RunReport {
        RunReport {
            end,
            tokens: self.calls.tokens,
            retry_after: self.calls.retry_after(),
            cost_usd: self.calls.cost_usd,
            attachments: self.attachments.into_files(),
        }
    }
}

/// What people are to know of a turn that ended before the agent was done.
fn describe_cut_turn(reason: &TurnEndReason) -> Option<String> {
    let cause = match reason {
        TurnEndReason::MaxTokens => "the model reached its limit of tokens".to_owned(),
        TurnEndReason::MaxTurnRequests => "the agent reached its limit of calls to the model".to_owned(),
        TurnEndReason::Other(reason) => format!("of a reason of its own: {reason}"),
        TurnEndReason::EndTurn | TurnEndReason::Refusal | TurnEndReason::Cancelled => return None,
    };
    Some(format!("The turn ended early, because {cause}. The work may be incomplete."))
}

async fn decide(connection: &AgentConnection, id: PermissionRequestId, granted: bool) {
    let answer = if granted { PermissionAnswer::Grant } else { PermissionAnswer::Refuse };
    if let Err(failure) = connection.answer_permission(id, &answer).await {
        tracing::warn!(%failure, "a decision did not reach the agent");
        // A request that offers no answer which grants must not wait for ever.
        let _ = connection.answer_permission(id, &PermissionAnswer::Refuse).await;
    }
}
