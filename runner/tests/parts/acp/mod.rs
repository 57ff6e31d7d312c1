//! The driver of agents against agents that break the protocol: real processes that run `acp/agent.py`.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test that uses them")]

use std::{path::Path, process::Stdio, time::Duration};

use runner::acp::{
    AgentConnection, AgentFailure, AgentFailureCode, AgentUpdate, AgentUpdates, ConnectionLimits, ConnectionOptions,
    FailureCategory, PermissionAnswer, PermissionPolicy, PermissionRule, TokenUsage, ToolKind, TurnEnd, TurnEndReason,
};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// A process that behaves in one way, and the connection to it.
struct TestAgent {
    process: Child,
    connection: AgentConnection,
    updates: AgentUpdates,
}

impl TestAgent {
    fn start(behaviour: &str, limits: ConnectionLimits) -> Self {
        let policy = PermissionPolicy::allow_all().with_rule(ToolKind::Execute, PermissionRule::Ask);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/acp/agent.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(behaviour).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (output, input) = (process.stdout.take().unwrap(), process.stdin.take().unwrap());
        let errors: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>> =
            process.stderr.take().map(|errors| Box::new(errors) as _);
        let options = ConnectionOptions { policy, limits, errors };
        let (connection, updates) = AgentConnection::open(output, input, options);
        Self { process, connection, updates }
    }

    async fn with_session(behaviour: &str) -> Self {
        let agent = Self::start(behaviour, ConnectionLimits::default());
        agent.connection.initialize().await.unwrap();
        agent.connection.new_session(Path::new("/"), Vec::new()).await.unwrap();
        agent
    }

    /// Begins a turn in a task of its own.
    fn start_turn(&self) -> JoinSet<Result<TurnEnd, AgentFailure>> {
        let connection = self.connection.clone();
        let mut turns = JoinSet::new();
        turns.spawn(async move { connection.prompt("go").await });
        turns
    }

    /// Runs a turn that must fail.
    async fn fail(&self) -> AgentFailure {
        self.connection.prompt("go").await.unwrap_err()
    }

    /// The texts of the messages that are waiting.
    fn texts(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(update) = self.updates.try_next() {
            if let AgentUpdate::Message { text, .. } = update {
                texts.push(text);
            }
        }
        texts
    }

    /// Waits for the first message.
    async fn wait_for_message(&mut self) -> String {
        loop {
            if let AgentUpdate::Message { text, .. } = self.updates.next().await.unwrap() {
                return text;
            }
        }
    }
}

async fn end_of(mut turns: JoinSet<Result<TurnEnd, AgentFailure>>) -> Result<TurnEnd, AgentFailure> {
    turns.join_next().await.unwrap().unwrap()
}

/// The memory of this process in megabytes.
fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// How many updates a flood has.
const UPDATES: u32 = 250_000;

/// Tests that measure the memory of this process run one at a time.
static MEMORY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn short_limits() -> ConnectionLimits {
    ConnectionLimits { start: Duration::from_secs(5), ..ConnectionLimits::default() }
}

#[tokio::test]
async fn a_turn_reports_its_updates_in_order_and_its_usage() {
    let mut agent = TestAgent::with_session("garbage").await;
    let end = agent.connection.prompt("go").await.unwrap();
    assert_eq!(end.reason, TurnEndReason::EndTurn);
    assert_eq!(end.usage, Some(TokenUsage { input: 5, output: 2, ..TokenUsage::default() }));
    assert_eq!(agent.texts(), ["fine"]);
}

#[tokio::test]
async fn lines_that_are_no_messages_are_skipped_and_named_in_a_later_failure() {
    let agent = TestAgent::with_session("garbage").await;
    agent.connection.prompt("go").await.unwrap();
    agent.connection.close_input();
    let failure = agent.connection.wait_for_end().await;
    assert_eq!(failure.code, AgentFailureCode::Exited);
    assert!(failure.message.contains("6 were no messages, the first: Loading model..."), "{failure}");
}

#[tokio::test]
async fn unknown_updates_and_wrong_types_are_kept_as_others() {
    let mut agent = TestAgent::with_session("strange").await;
    agent.connection.prompt("go").await.unwrap();
    let mut kinds = Vec::new();
    while let Some(update) = agent.updates.try_next() {
        kinds.push(match update {
            AgentUpdate::Other { kind, .. } => kind,
            AgentUpdate::ToolCall(call) => format!("call {} of kind {:?}", call.id, call.kind),
            AgentUpdate::Message { text, .. } => text,
            other => panic!("{other:?}"),
        });
    }
    let expected = ["telepathy", "unknown", "call c of kind None", "usage_update", "unknown", "_agent/note", "fine"];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_flood_of_updates_waits_for_its_reader_in_bounded_memory() {
    let mut agent = TestAgent::with_session("flood").await;
    let _alone = MEMORY.lock().await;
    let before = resident_megabytes();
    let mut turns = agent.start_turn();
    // Nobody takes updates: the agent must wait, and memory must not grow.
    sleep(Duration::from_secs(1)).await;
    assert!(turns.try_join_next().is_none(), "the agent does not wait for the reader");
    for expected in 0..UPDATES {
        let Some(AgentUpdate::Message { text, .. }) = agent.updates.next().await else { panic!("{expected}") };
        assert_eq!(text, expected.to_string());
    }
    assert_eq!(end_of(turns).await.unwrap().reason, TurnEndReason::EndTurn);
    let grown = resident_megabytes().saturating_sub(before);
    assert!(grown < 48, "the flood took {grown} MB");
}

#[tokio::test]
async fn updates_that_wait_are_bounded_by_their_bytes() {
    let mut agent = TestAgent::with_session("large-updates").await;
    let _alone = MEMORY.lock().await;
    let before = resident_megabytes();
    let turns = agent.start_turn();
    sleep(Duration::from_secs(2)).await;
    let grown = resident_megabytes().saturating_sub(before);
    assert!(grown < 64, "updates that wait take {grown} MB");
    for _ in 0..40 {
        let Some(AgentUpdate::Message { text, .. }) = agent.updates.next().await else { panic!() };
        assert!(text.ends_with("[3737856 more bytes]"), "{}", text.len());
    }
    assert_eq!(end_of(turns).await.unwrap().reason, TurnEndReason::EndTurn);
}

#[tokio::test]
async fn an_agent_that_hangs_at_its_start_fails_within_the_limit() {
    let agent = TestAgent::start("hangs", short_limits());
    let failure = agent.connection.initialize().await.unwrap_err();
    assert_eq!(failure.code, AgentFailureCode::StartTimeout);
    assert_eq!(failure.code.as_str(), "AGENT_START_TIMEOUT");
    assert_eq!(failure.category(), FailureCategory::Agent);
    let expected = "did not answer initialize within 5 s (of its lines 1 were no messages, the first: Usage: agent";
    assert!(failure.message.contains(expected), "{failure}");
}

#[tokio::test]
async fn an_agent_that_hangs_while_it_creates_a_session_fails_within_the_limit() {
    let agent = TestAgent::start("hangs-later", short_limits());
    agent.connection.initialize().await.unwrap();
    let failure = agent.connection.new_session(Path::new("/"), Vec::new()).await.unwrap_err();
    assert_eq!(failure.code, AgentFailureCode::StartTimeout);
    assert!(failure.message.contains("session/new"), "{failure}");
}

#[tokio::test]
async fn an_agent_that_dies_in_a_turn_fails_it_with_the_last_lines_of_its_errors() {
    let mut agent = TestAgent::with_session("dies").await;
    let failure = agent.fail().await;
    assert_eq!(failure.code.as_str(), "AGENT_EXITED");
    assert_eq!(failure.error_output, ["reading the configuration", "fatal: the disk is full"]);
    assert!(failure.message.ends_with("its last line was: fatal: the disk is full"), "{failure}");
    assert_eq!(agent.texts(), ["half of an ans"]);
    assert!(agent.updates.next().await.is_none(), "the updates end");
    let again = agent.fail().await;
    assert_eq!(again, failure, "every later call fails in the same way");
}

#[tokio::test]
async fn an_exit_ends_the_connection_though_a_child_keeps_the_output_open() {
    let mut agent = TestAgent::with_session("dies-with-child").await;
    let turns = agent.start_turn();
    let status = agent.process.wait().await.unwrap();
    agent.connection.report_exit(status.to_string()).await;
    let failure = timeout(Duration::from_secs(5), end_of(turns)).await.unwrap().unwrap_err();
    assert_eq!(failure.code, AgentFailureCode::Exited);
    assert!(failure.message.contains("the agent ended (exit status: 3)"), "{failure}");
}

#[tokio::test]
async fn a_turn_that_ignores_its_cancellation_is_reported_after_the_grace_time() {
    let mut agent = TestAgent::with_session("ignores-cancel").await;
    let turns = agent.start_turn();
    assert_eq!(agent.wait_for_message().await, "working");
    assert_eq!(agent.fail().await.code, AgentFailureCode::Busy);
    let failure = agent.connection.cancel_within(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(failure.code.as_str(), "AGENT_UNRESPONSIVE");
    agent.process.kill().await.unwrap();
    assert_eq!(end_of(turns).await.unwrap_err().code, AgentFailureCode::Exited);
}

#[tokio::test]
async fn a_turn_of_an_agent_that_stops_reading_can_be_given_up() {
    let agent = TestAgent::with_session("stops-reading").await;
    let connection = agent.connection.clone();
    let mut turns = JoinSet::new();
    turns.spawn(async move { connection.prompt(&"long ".repeat(500_000)).await });
    sleep(Duration::from_millis(100)).await;
    let failure = agent.connection.cancel_within(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(failure.code, AgentFailureCode::Unresponsive);
    drop(agent);
    assert_eq!(end_of(turns).await.unwrap_err().code, AgentFailureCode::Exited);
}

#[tokio::test]
async fn a_line_of_100_megabytes_fails_with_its_beginning_in_bounded_memory() {
    let agent = TestAgent::with_session("long-line").await;
    let _alone = MEMORY.lock().await;
    let before = resident_megabytes();
    let failure = agent.fail().await;
    assert_eq!(failure.code.as_str(), "AGENT_PROTOCOL");
    let beginning = failure.message.split_once("it begins with: ").unwrap().1;
    assert_eq!(beginning, format!("{{\"beginning\": \"{}", "x".repeat(200 - 15)));
    let grown = resident_megabytes().saturating_sub(before);
    assert!(grown < 64, "the line took {grown} MB");
}

#[tokio::test]
async fn a_request_for_permission_waits_until_it_is_answered() {
    let mut agent = TestAgent::with_session("asks").await;
    let turns = agent.start_turn();
    let Some(AgentUpdate::PermissionRequest(request)) = agent.updates.next().await else { panic!() };
    assert_eq!(request.tool_call.title.as_deref(), Some("rm x"));
    agent.connection.answer_permission(request.id, &PermissionAnswer::Refuse).await.unwrap();
    assert_eq!(end_of(turns).await.unwrap().reason, TurnEndReason::EndTurn);
    assert_eq!(agent.texts(), [r#"{"optionId": "no", "outcome": "selected"}"#]);
}

#[tokio::test]
async fn two_requests_at_once_are_answered_in_any_order() {
    let mut agent = TestAgent::with_session("asks-twice").await;
    let turns = agent.start_turn();
    let mut ids = Vec::new();
    while ids.len() < 2 {
        let Some(AgentUpdate::PermissionRequest(request)) = agent.updates.next().await else { panic!() };
        ids.push(request.id);
    }
    agent.connection.answer_permission(ids[1], &PermissionAnswer::Grant).await.unwrap();
    agent.connection.answer_permission(ids[0], &PermissionAnswer::Refuse).await.unwrap();
    assert_eq!(end_of(turns).await.unwrap().reason, TurnEndReason::EndTurn);
    assert_eq!(agent.texts(), ["asked-2 yes", "asked-1 no"]);
}

#[tokio::test]
async fn a_cancellation_answers_the_waiting_request_before_it_cancels_the_turn() {
    let mut agent = TestAgent::with_session("asks").await;
    let turns = agent.start_turn();
    assert!(matches!(agent.updates.next().await, Some(AgentUpdate::PermissionRequest(_))));
    agent.connection.cancel_within(Duration::from_secs(5)).await.unwrap();
    assert_eq!(end_of(turns).await.unwrap().reason, TurnEndReason::Cancelled);
    assert_eq!(agent.texts(), [r#"{"outcome": "cancelled"}"#, "session/cancel"]);
}

#[tokio::test]
async fn a_request_for_what_the_runner_does_not_offer_is_answered_with_an_error() {
    let mut agent = TestAgent::with_session("asks-for-files").await;
    agent.connection.prompt("go").await.unwrap();
    assert_eq!(agent.texts(), ["-32601"]);
}

#[tokio::test]
async fn an_error_of_the_agent_fails_the_turn_and_leaves_the_connection() {
    let agent = TestAgent::with_session("refuses").await;
    for _ in 0..2 {
        let failure = agent.fail().await;
        assert_eq!(failure.code.as_str(), "AGENT_REFUSED");
        assert!(failure.message.ends_with("Internal error: the model is on holiday"), "{failure}");
    }
}

#[tokio::test]
async fn an_agent_that_wants_a_sign_in_fails_in_the_category_auth() {
    let agent = TestAgent::start("wants-sign-in", short_limits());
    agent.connection.initialize().await.unwrap();
    let failure = agent.connection.new_session(Path::new("/"), Vec::new()).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.category()), ("AGENT_AUTH_REQUIRED", FailureCategory::Auth));
}

#[tokio::test]
async fn an_agent_of_another_protocol_version_is_refused() {
    let agent = TestAgent::start("version-2", short_limits());
    let failure = agent.connection.initialize().await.unwrap_err();
    assert_eq!(failure.code, AgentFailureCode::Protocol);
    assert!(failure.message.contains("speaks version 2 of ACP"), "{failure}");
}

#[tokio::test]
async fn a_session_that_can_only_be_loaded_does_not_report_its_history_again() {
    let mut agent = TestAgent::start("garbage", short_limits());
    assert_eq!(agent.connection.prompt("go").await.unwrap_err().code, AgentFailureCode::NoSession);
    agent.connection.initialize().await.unwrap();
    let session = agent.connection.resume_session("s", Path::new("/"), Vec::new()).await.unwrap();
    assert_eq!(session.id, "s");
    agent.connection.prompt("go").await.unwrap();
    assert_eq!(agent.texts(), ["fine"]);
}

#[tokio::test]
async fn a_model_that_the_agent_does_not_offer_is_refused_with_those_it_offers() {
    let agent = TestAgent::with_session("garbage").await;
    agent.connection.set_model("large").await.unwrap();
    let failure = agent.connection.set_model("huge").await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.category()), ("AGENT_UNSUPPORTED", FailureCategory::User));
    assert!(failure.message.contains("it offers: small, large"), "{failure}");
}

#[tokio::test]
async fn the_end_of_its_input_lets_the_agent_exit_by_itself() {
    let mut agent = TestAgent::with_session("garbage").await;
    let started = Instant::now();
    agent.connection.close_input();
    let status = timeout(Duration::from_secs(5), agent.process.wait()).await.unwrap().unwrap();
    assert!(status.success() && started.elapsed() < Duration::from_secs(5));
}
