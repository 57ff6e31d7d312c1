//! Every agent runtime, held to the contract of the trait.

use std::any::Any;

use chrono::TimeDelta;
use serde_json::{Map, json};
use shared::{
    agents::{
        contract::{
            AgentRuntime, Answer, Assignment, Continuation, Decision, FileStatus, Finish, Phase, QuestionKind,
            RunState, TranscriptEntry, UserMessage,
        },
        registry::{AgentEndpoint, Kind},
        scripted::ScriptedAgent,
    },
    kernel::{
        clock::{Clock, Time},
        id::{AgentId, MessageId, SessionId, TenantId},
    },
};

/// The script of the agent.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Write `made.txt` and say `Done.`
    Write,
    /// Ask before it goes on, then say `Done.`
    Ask,
    /// Take a minute.
    Sleep,
}

/// A runtime, and how to script its agent.
pub(crate) struct Member {
    pub runtime: Box<dyn AgentRuntime>,
    pub assign: Box<dyn Fn(Work) -> Assignment>,
    /// The kind of question that its agents ask.
    pub asks: QuestionKind,
    #[expect(dead_code, reason = "held only to live as long")]
    pub keep: Box<dyn Any>,
}

#[tokio::test]
async fn the_scripted_agent_keeps_the_contract() {
    let assign = |work| {
        let script = match work {
            Work::Write => {
                json!([{"do": "write", "path": "made.txt", "content": "one\n", "ms": 20}, {"do": "say", "text": "Done."}])
            }
            Work::Ask => json!([
                {"do": "ask", "question_id": "q1", "kind": "approval", "text": "May I?"},
                {"do": "say", "text": "Done."},
            ]),
            Work::Sleep => json!([{"do": "wait", "ms": 60_000}]),
        };
        let mut assignment = blank();
        assignment.agent_config.insert("script".to_owned(), script);
        assignment
    };
    keeps_the_contract(&Member {
        runtime: Box::new(ScriptedAgent::new(Clock::System)),
        assign: Box::new(assign),
        asks: QuestionKind::Approval,
        keep: Box::new(()),
    })
    .await;
}

#[tokio::test]
async fn a2a_agents_keep_the_contract_over_both_bindings() {
    for binding in ["http", "rpc"] {
        keeps_the_contract(&crate::a2a::member(binding)).await;
    }
}

#[tokio::test]
async fn external_agents_keep_the_contract() {
    keeps_the_contract(&crate::agents::eap::contract::member().await).await;
}

/// An assignment without a script.
pub(crate) fn blank() -> Assignment {
    Assignment {
        tenant_id: TenantId::new(),
        session_id: SessionId::new(),
        agent: contact(),
        run: 1,
        run_started_at: Clock::System.now(),
        title: "Keep the contract".to_owned(),
        session_type: "execution".to_owned(),
        prompt: "Do it.".to_owned(),
        model: None,
        agent_config: Map::new(),
        workspace: None,
        environment: None,
        cpu_limit: None,
        memory_limit_mb: None,
        timeout_seconds: 3600,
        continuation: Continuation::Start,
    }
}

/// An agent of the platform.
pub(crate) fn contact() -> AgentEndpoint {
    let name = "agent".to_owned();
    AgentEndpoint {
        id: AgentId::new(),
        tenant_id: None,
        name,
        kind: Kind::Scripted,
        endpoint_url: None,
        endpoint_secret: None,
    }
}

async fn keeps_the_contract(member: &Member) {
    a_run_is_started_once_and_reports_every_event_once(member).await;
    a_question_waits_and_its_answer_counts_once(member).await;
    calling_off_and_giving_back_can_be_repeated(member).await;
}

async fn a_run_is_started_once_and_reports_every_event_once(member: &Member) {
    let (runtime, assignment) = (&member.runtime, (member.assign)(Work::Write));
    let state = runtime.dispatch(&assignment).await.unwrap();
    assert_eq!(runtime.dispatch(&assignment).await.unwrap(), state, "a handover made twice is one");
    let (reported, phase, state) = watch(member, &assignment, state, |phase| matches!(phase, Phase::Finished(_))).await;
    let Phase::Finished(Finish::Completed { result, .. }) = phase else { panic!("not completed: {phase:?}") };
    assert_eq!(result["text"], "Done.");
    let texts = reported
        .iter()
        .filter(|entry| matches!(entry, TranscriptEntry::Message { role, .. } if role == "assistant"))
        .count();
    assert_eq!(texts, 1, "reported once: {reported:?}");
    let again = runtime.observe(&assignment, &state).await.unwrap();
    assert!(again.transcript.is_empty(), "nothing is reported twice: {:?}", again.transcript);
    let work = runtime.collect_output(&assignment, &state).await.unwrap();
    assert_eq!(work, runtime.collect_output(&assignment, &state).await.unwrap(), "reading changes nothing");
    assert_eq!((work.files.len(), work.files[0].path.as_str()), (1, "made.txt"));
    assert_eq!((work.files[0].status, work.files[0].additions), (FileStatus::Added, 1));
    assert!(work.patch.contains("+one"));
    runtime.release_workspace(&assignment, &state).await.unwrap();
    runtime.release_workspace(&assignment, &state).await.unwrap();
}

async fn a_question_waits_and_its_answer_counts_once(member: &Member) {
    let (runtime, assignment) = (&member.runtime, (member.assign)(Work::Ask));
    let state = runtime.dispatch(&assignment).await.unwrap();
    let (_, phase, state) = watch(member, &assignment, state, |phase| matches!(phase, Phase::Waiting(_))).await;
    let Phase::Waiting(question) = phase else { panic!("it does not ask: {phase:?}") };
    assert_eq!(question.kind, member.asks);
    let approves = member.asks == QuestionKind::Approval;
    let (decision, text) = (approves.then_some(Decision::Approve), (!approves).then(|| "The second.".to_owned()));
    let answer = Answer { question_id: question.question_id, decision, choices: None, text };
    let (id, said) = (MessageId::new(), UserMessage::Answer { answer });
    let state = runtime.send_message(&assignment, &state, id, &said).await.unwrap();
    let state = runtime.send_message(&assignment, &state, id, &said).await.unwrap();
    let (_, phase, state) = watch(member, &assignment, state, |phase| matches!(phase, Phase::Finished(_))).await;
    assert!(matches!(phase, Phase::Finished(Finish::Completed { .. })), "{phase:?}");
    runtime.release_workspace(&assignment, &state).await.unwrap();
}

async fn calling_off_and_giving_back_can_be_repeated(member: &Member) {
    let (runtime, assignment) = (&member.runtime, (member.assign)(Work::Sleep));
    let state = runtime.dispatch(&assignment).await.unwrap();
    runtime.abort(&assignment, &state).await.unwrap();
    runtime.abort(&assignment, &state).await.unwrap();
    runtime.release_workspace(&assignment, &state).await.unwrap();
    runtime.abort(&assignment, &state).await.unwrap();
}

/// Observes from state to state until `enough`; returns everything that was reported on the way.
async fn watch(
    member: &Member,
    assignment: &Assignment,
    mut state: RunState,
    enough: impl Fn(&Phase) -> bool,
) -> (Vec<TranscriptEntry>, Phase, RunState) {
    let began: Time = Clock::System.now();
    let mut reported = Vec::new();
    loop {
        let seen = member.runtime.observe(assignment, &state).await.unwrap();
        reported.extend(seen.transcript);
        state = seen.state;
        if enough(&seen.phase) {
            return (reported, seen.phase, state);
        }
        assert!(Clock::System.now() - began < TimeDelta::seconds(60), "it never came; last: {:?}", seen.phase);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
