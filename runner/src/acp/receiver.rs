//! The task that reads what an agent writes, and the one that writes to it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    failure::{AgentFailure, AgentFailureCode},
    line_reader::{Line, LineReader, beginning_of},
    message::{Message, read_message, write_method_not_found},
    state::{ConnectionState, SHOWN_BYTES},
    update::AgentUpdate,
    update_queue::UpdateSender,
    update_reader::read_update,
};

/// How long the end of one stream of the agent waits for the others, which say more about it.
const END_GRACE: Duration = Duration::from_millis(500);

/// Reads the output of one agent.
pub(super) struct Receiver {
    pub(super) state: Arc<ConnectionState>,
    pub(super) updates: UpdateSender,
    /// Completes when the standard error output of the agent has ended.
    pub(super) errors_end: oneshot::Receiver<()>,
}

impl Receiver {
    /// Reads until the output ends or cannot be read, then ends the connection.
    pub(super) async fn run(mut self, mut lines: LineReader<impl AsyncRead + Unpin>) {
        let end = EndOfReading { state: self.state.clone() };
        let failure = self.read_lines(&mut lines).await;
        end.state.end(failure);
    }

    async fn read_lines(&mut self, lines: &mut LineReader<impl AsyncRead + Unpin>) -> AgentFailure {
        loop {
            let line = match lines.read_next().await {
                Ok(Line::Complete(line)) => line,
                Ok(Line::TooLong(start)) => {
                    let start = beginning_of(&start, SHOWN_BYTES);
                    let message = format!("the agent wrote a line that is too long; it begins with: {start}");
                    return self.state.failure(AgentFailureCode::Protocol, message);
                }
                Ok(Line::End) | Err(_) => {
                    _ = timeout(END_GRACE, &mut self.errors_end).await;
                    return self.state.failure_of_exit();
                }
            };
            if let Err(failure) = self.handle_line(&line).await {
                return failure;
            }
        }
    }

    async fn handle_line(&self, line: &[u8]) -> Result<(), AgentFailure> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        match read_message(line) {
            Message::Response { id, outcome } => self.state.take_response(id, outcome),
            Message::Notification { method, params } if method == "session/update" => {
                self.handle_update(params, line.len()).await;
            }
            Message::Notification { method, params } => self.report_unknown(method, params, line.len()).await,
            Message::Request { id, method, params } => self.handle_request(&id, &method, &params, line.len()).await?,
            Message::Unreadable => self.state.note_unreadable(line),
        }
        Ok(())
    }

    async fn handle_update(&self, params: Value, bytes: usize) {
        if self.state.replays.load(Ordering::Relaxed) {
            return;
        }
        let update = match params {
            Value::Object(mut members) => members.remove("update").unwrap_or_default(),
            other => other,
        };
        let update = read_update(update);
        if let AgentUpdate::ToolCall(call) | AgentUpdate::ToolCallUpdate(call) = &update {
            self.state.desk.note_call(call);
        }
        self.updates.send(update, bytes).await;
    }

    async fn report_unknown(&self, method: String, params: Value, bytes: usize) {
        let mut update = params;
        if let Value::Object(members) = &mut update {
            members.insert("sessionUpdate".into(), method.into());
            self.updates.send(read_update(update), bytes).await;
        }
    }

    async fn handle_request(&self, id: &Value, method: &str, params: &Value, bytes: usize) -> Result<(), AgentFailure> {
        if method != "session/request_permission" {
            // OpenCode shows its edits through `fs/write_text_file`, whether or not the client offers it.
            return self.state.send(write_method_not_found(id, method)).await;
        }
        let received = self.state.desk.receive(id, params);
        self.updates.send(received.update, bytes).await;
        match received.answer {
            Some(answer) => self.state.send(answer).await,
            None => Ok(()),
        }
    }
}

/// Ends the connection also where the task that reads ends by a panic, so that no call waits for ever.
struct EndOfReading {
    state: Arc<ConnectionState>,
}

impl Drop for EndOfReading {
    fn drop(&mut self) {
        self.state.end(AgentFailure::new(AgentFailureCode::Protocol, "the output of the agent is no longer read"));
    }
}

/// Writes lines to the agent until there are no more or it does not take them.
pub(super) async fn write_lines(
    state: Arc<ConnectionState>,
    mut lines: mpsc::Receiver<Vec<u8>>,
    mut input: impl AsyncWrite + Unpin,
) {
    while let Some(line) = lines.recv().await {
        if input.write_all(&line).await.is_err() || input.flush().await.is_err() {
            // The end of its output, which usually follows, says more.
            sleep(END_GRACE).await;
            state.end(state.failure(AgentFailureCode::Exited, "the agent closed its input"));
            return;
        }
    }
    _ = input.shutdown().await;
}
