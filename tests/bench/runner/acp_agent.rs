//! An agent that speaks ACP and costs next to nothing: it calls its model once, writes a file, and says when it was
//! asked. A prompt with [`HOLD`] keeps it until it is cancelled.

use std::{
    env, fs,
    io::{self, BufRead, Read, Write},
    net::TcpStream,
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::forwarder::{make_asked_update, write_line};

/// The argument that makes this program the agent.
pub(super) const MODE: &str = "scripted-acp-agent";

/// Stands in a prompt that is not answered until it is cancelled.
pub(super) const HOLD: &str = "@@HOLD";

/// Speaks over standard input and output until the input ends.
pub(super) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is shown in the failure of the session.
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    while let Some(line) = lines.next() {
        let request: Value = serde_json::from_str(&line?)?;
        let Some(id) = request.get("id").filter(|id| !id.is_null()) else { continue };
        let answer = match request["method"].as_str().unwrap_or_default() {
            "initialize" => json!({"protocolVersion": 1, "agentCapabilities": {}}),
            "session/new" => json!({"sessionId": "s"}),
            "session/prompt" => take_turn(&request["params"], &mut lines)?,
            method => bail!("{method} is not expected"),
        };
        write_line(&json!({"jsonrpc": "2.0", "id": id, "result": answer}).to_string())?;
    }
    Ok(())
}

fn take_turn(params: &Value, lines: &mut impl Iterator<Item = io::Result<String>>) -> Result<Value> {
    write_line(&make_asked_update(params))?;
    let prompt = params["prompt"].to_string();
    if prompt.contains(HOLD) {
        // The beginning of a call makes the runner report what was said before.
        let call = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "title": "hold", "kind": "other",
                          "status": "in_progress"});
        let update =
            json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": call}});
        write_line(&update.to_string())?;
        for line in lines {
            if line?.contains("session/cancel") {
                return Ok(json!({"stopReason": "cancelled"}));
            }
        }
        bail!("the input ended before the turn was cancelled");
    }
    call_model(&prompt)?;
    fs::write("work.txt", &prompt)?;
    Ok(json!({"stopReason": "end_turn"}))
}

/// One streamed answer through the gateway, read to its end.
fn call_model(prompt: &str) -> Result<()> {
    let variable = |name: &str| {
        let found = env::vars().find(|(known, _)| known == name);
        found.map(|(_, value)| value).with_context(|| format!("{name} is not set"))
    };
    let address = variable("MODEL_URL")?.trim_start_matches("http://").to_owned();
    let body = json!({"model": variable("MODEL")?, "stream": true, "messages": [{"role": "user", "content": prompt}]});
    let body = body.to_string();
    let mut stream = TcpStream::connect(&address)?;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer none\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200") && answer.contains("[DONE]"), "the model answered {answer}");
    Ok(())
}
