//! The state that the parts of one connection share.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    error_output::ErrorOutput,
    failure::{AgentFailure, AgentFailureCode},
    line_reader::beginning_of,
    message::RpcError,
    permission::PermissionPolicy,
    permission_desk::PermissionDesk,
    session::{AgentInfo, SessionInfo},
};

/// How many bytes of a bad line a failure shows.
pub(super) const SHOWN_BYTES: usize = 200;

/// How many lines of ours may wait for the agent to read them.
const OUTGOING_LINES: usize = 64;

/// How long a line of ours may wait.
const OUTGOING_LIMIT: Duration = Duration::from_secs(30);

/// How the agent answered a request.
pub(super) type RpcOutcome = Result<Value, RpcError>;

/// The state of one connection.
pub(super) struct ConnectionState {
    /// The requests that wait for a response, by their ids.
    waiting: Mutex<HashMap<u64, oneshot::Sender<RpcOutcome>>>,
    next_id: AtomicU64,
    outgoing: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    /// Why the connection ended.
    end: watch::Sender<Option<AgentFailure>>,
    /// The id of the request whose turn is running.
    turn: watch::Sender<Option<u64>>,
    agent: Mutex<Option<AgentInfo>>,
    session: Mutex<Option<SessionInfo>>,
    /// Whether the agent repeats the updates of an earlier process.
    pub(super) replays: AtomicBool,
    pub(super) desk: PermissionDesk,
    pub(super) error_output: ErrorOutput,
    exit_status: Mutex<Option<String>>,
    /// The number of lines that were no messages, and the beginning of the first.
    unreadable: Mutex<(u64, String)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConnectionState {
    /// A new connection, and the lines that must be written to the agent.
    pub(super) fn create(policy: PermissionPolicy) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (outgoing, lines) = mpsc::channel(OUTGOING_LINES);
        let state = Self {
            waiting: Mutex::default(),
            next_id: AtomicU64::new(1),
            outgoing: Mutex::new(Some(outgoing)),
            end: watch::Sender::new(None),
            turn: watch::Sender::new(None),
            agent: Mutex::default(),
            session: Mutex::default(),
            replays: AtomicBool::new(false),
            desk: PermissionDesk::new(policy),
            error_output: ErrorOutput::default(),
            exit_status: Mutex::default(),
            unreadable: Mutex::default(),
        };
        (state, lines)
    }

    pub(super) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a line to the agent, in order.
    pub(super) async fn send(&self, line: Vec<u8>) -> Result<(), AgentFailure> {
        let outgoing = lock(&self.outgoing).clone();
        let Some(outgoing) = outgoing else { return Err(self.failure_of_end()) };
        tokio::select! {
            sent = timeout(OUTGOING_LIMIT, outgoing.send(line)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(self.failure_of_end()),
                Err(_) => Err(self.failure(AgentFailureCode::Unresponsive, "the agent no longer reads its input")),
            },
            failure = self.wait_for_end() => Err(failure),
        }
    }

    /// Lets the agent see the end of its input once the lines before are written.
    pub(super) fn close_input(&self) {
        lock(&self.outgoing).take();
    }

    /// Registers a request before it is sent.
    pub(super) fn expect_response(&self, id: u64) -> oneshot::Receiver<RpcOutcome> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        // The end clears what waits, and may have come between.
        if self.end.borrow().is_some() {
            lock(&self.waiting).clear();
        }
        receiver
    }

    pub(super) fn forget_response(&self, id: u64) {
        lock(&self.waiting).remove(&id);
    }

    pub(super) fn take_response(&self, id: u64, outcome: RpcOutcome) {
        self.turn.send_if_modified(|turn| turn.take_if(|running| *running == id).is_some());
        if let Some(waiting) = lock(&self.waiting).remove(&id) {
            _ = waiting.send(outcome);
        }
    }

    /// Notes that a turn begins; false while another one runs.
    pub(super) fn begin_turn(&self, id: u64) -> bool {
        let begins = self.turn.send_if_modified(|turn| {
            let is_free = turn.is_none();
            turn.get_or_insert(id);
            is_free
        });
        if begins {
            self.desk.begin_turn();
        }
        begins
    }

    pub(super) fn end_turn(&self, id: u64) {
        self.turn.send_if_modified(|turn| turn.take_if(|running| *running == id).is_some());
    }

    /// Waits until no turn is running.
    pub(super) async fn wait_for_turn_end(&self) {
        _ = self.turn.subscribe().wait_for(Option::is_none).await;
    }

    pub(super) fn note_unreadable(&self, line: &[u8]) {
        let mut unreadable = lock(&self.unreadable);
        unreadable.0 += 1;
        if unreadable.0 == 1 {
            unreadable.1 = beginning_of(line, SHOWN_BYTES);
        }
    }

    pub(super) fn note_exit_status(&self, status: String) {
        lock(&self.exit_status).get_or_insert(status);
    }

    /// Ends the connection; the first reason counts.
    pub(super) fn end(&self, failure: AgentFailure) {
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(failure);
            is_first
        });
        self.close_input();
        lock(&self.waiting).clear();
        self.turn.send_replace(None);
    }

    /// Waits until the connection has ended, and says why.
    pub(super) async fn wait_for_end(&self) -> AgentFailure {
        let mut end = self.end.subscribe();
        let ended = end.wait_for(Option::is_some).await;
        ended.ok().and_then(|end| end.clone()).unwrap_or_else(|| self.failure_of_exit())
    }

    /// Why nothing can be sent any more.
    pub(super) fn failure_of_end(&self) -> AgentFailure {
        self.end.borrow().clone().unwrap_or_else(|| self.failure_of_exit())
    }

    /// The failure of an agent whose output has ended.
    pub(super) fn failure_of_exit(&self) -> AgentFailure {
        let status = lock(&self.exit_status).clone();
        let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
        let last = self.error_output.last_lines().pop();
        let last = last.map(|line| format!("; its last line was: {line}")).unwrap_or_default();
        self.failure(AgentFailureCode::Exited, format!("the agent ended{status}{last}"))
    }

    /// A failure with what is known about the agent.
    pub(super) fn failure(&self, code: AgentFailureCode, message: impl Into<String>) -> AgentFailure {
        let mut message = message.into();
        let (count, first) = lock(&self.unreadable).clone();
        if count > 0 {
            message = format!("{message} (of its lines {count} were no messages, the first: {first})");
        }
        AgentFailure { code, message, error_output: self.error_output.last_lines() }
    }

    pub(super) fn set_agent(&self, agent: AgentInfo) {
        *lock(&self.agent) = Some(agent);
    }

    /// The agent as `initialize` has found it.
    pub(super) fn agent(&self) -> Result<AgentInfo, AgentFailure> {
        let agent = lock(&self.agent).clone();
        agent.ok_or_else(|| AgentFailure::new(AgentFailureCode::NoSession, "the connection is not initialized yet"))
    }

    pub(super) fn set_session(&self, session: SessionInfo) {
        *lock(&self.session) = Some(session);
    }

    /// The session, which `new_session` or `resume_session` has set.
    pub(super) fn session(&self) -> Result<SessionInfo, AgentFailure> {
        let session = lock(&self.session).clone();
        session.ok_or_else(|| AgentFailure::new(AgentFailureCode::NoSession, "the connection has no session yet"))
    }
}
