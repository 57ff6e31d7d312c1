//! This program between a runner and an agent: it passes every line on, and says when the runner asked the agent.
//!
//! The time travels as a message of the agent, because nothing else leaves a sandbox.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The argument that makes this program the forwarder; the command of the agent follows it.
pub(super) const MODE: &str = "forward-to-acp-agent";

const ASKED: &str = "[asked at ";

/// Microseconds since 1970, by the clock that all processes of the machine share.
#[expect(clippy::disallowed_methods, reason = "the times of two processes are compared")]
pub(super) fn read_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// The message that says when the prompt with these parameters arrived.
pub(super) fn make_asked_update(params: &Value) -> String {
    let content = json!({"type": "text", "text": format!("{ASKED}{}]", read_clock())});
    let update = json!({"sessionUpdate": "agent_message_chunk", "messageId": "asked", "content": content});
    let params = json!({"sessionId": params["sessionId"], "update": update});
    json!({"jsonrpc": "2.0", "method": "session/update", "params": params}).to_string()
}

/// The time in the text of a session's log.
pub(super) fn find_asked(text: &str) -> Option<u64> {
    text.split_once(ASKED)?.1.split_once(']')?.0.parse().ok()
}

/// Writes a line that no other thread interrupts.
pub(super) fn write_line(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

pub(super) fn run(command: impl Iterator<Item = String>) -> ExitCode {
    match forward(command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn forward(mut command: impl Iterator<Item = String>) -> Result<ExitCode> {
    let program = command.next().context("no agent is named")?;
    let mut agent = Command::new(program).args(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut input, output) = (agent.stdin.take().context("piped")?, agent.stdout.take().context("piped")?);
    let answers = thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            write_line(&line?)?;
        }
        io::Result::Ok(())
    });
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.contains("\"session/prompt\"") {
            let request: Value = serde_json::from_str(&line)?;
            write_line(&make_asked_update(&request["params"]))?;
        }
        writeln!(input, "{line}")?;
        input.flush()?;
    }
    drop(input);
    let ended = agent.wait()?;
    let _ = answers.join();
    Ok(ExitCode::from(u8::try_from(ended.code().unwrap_or(1)).unwrap_or(1)))
}
