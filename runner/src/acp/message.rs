//! JSON-RPC 2.0 as agents really write it.

use serde_json::{Map, Value, json};

/// The number that JSON-RPC gives to a method which the receiver does not have.
const METHOD_NOT_FOUND: i64 = -32601;

/// The number that agents send when they ask for a sign-in.
const AUTH_REQUIRED: i64 = -32000;

/// An error that the agent answered with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    pub(super) code: i64,
    pub(super) message: String,
}

impl RpcError {
    /// Whether the agent asks for a sign-in.
    pub(super) fn asks_for_sign_in(&self) -> bool {
        self.code == AUTH_REQUIRED
    }
}

/// One line from an agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// The answer to the request with this id.
    Response {
        id: u64,
        outcome: Result<Value, RpcError>,
    },
    /// A request, whose id is repeated in the answer as it is.
    Request {
        id: Value,
        method: String,
        params: Value,
    },
    Notification {
        method: String,
        params: Value,
    },
    /// No JSON, or no message.
    Unreadable,
}

/// Reads a line. Missing or superfluous members do not matter as long as the meaning is clear.
pub(super) fn read_message(line: &[u8]) -> Message {
    let Ok(Value::Object(mut message)) = serde_json::from_slice(line) else { return Message::Unreadable };
    let id = message.remove("id").filter(|id| !id.is_null());
    let method = match message.remove("method") {
        Some(Value::String(method)) => Some(method),
        _ => None,
    };
    let params = message.remove("params").unwrap_or_default();
    match (method, id) {
        (Some(method), Some(id)) => Message::Request { id, method, params },
        (Some(method), None) => Message::Notification { method, params },
        (None, Some(id)) => read_response(&id, &mut message).unwrap_or(Message::Unreadable),
        (None, None) => Message::Unreadable,
    }
}

fn read_response(id: &Value, message: &mut Map<String, Value>) -> Option<Message> {
    // Some agents turn a number into a text.
    let id = id.as_u64().or_else(|| id.as_str()?.parse().ok())?;
    let outcome = match message.remove("error") {
        Some(error) if !error.is_null() => Err(read_error(&error)),
        _ => Ok(message.remove("result")?),
    };
    Some(Message::Response { id, outcome })
}

fn read_error(error: &Value) -> RpcError {
    let message = error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned);
    let details = match &error["data"] {
        Value::String(text) => Some(text.clone()),
        data => data["details"].as_str().or_else(|| data["message"].as_str()).map(str::to_owned),
    };
    let message = details.map_or_else(|| message.clone(), |details| format!("{message}: {details}"));
    RpcError { code: error["code"].as_i64().unwrap_or_default(), message: message.chars().take(2000).collect() }
}

/// A request of ours.
pub(super) fn write_request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    write_line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

/// A notification of ours.
pub(super) fn write_notification(method: &str, params: &Value) -> Vec<u8> {
    write_line(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

/// The answer to a request of the agent.
pub(super) fn write_result(id: &Value, result: &Value) -> Vec<u8> {
    write_line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// The answer to a request of the agent for what we do not offer.
pub(super) fn write_method_not_found(id: &Value, method: &str) -> Vec<u8> {
    let message = format!("this client has no method {method}");
    write_line(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": METHOD_NOT_FOUND, "message": message}}))
}

fn write_line(message: &Value) -> Vec<u8> {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_response_is_read_without_its_version_and_with_an_id_as_text() {
        let read = read_message(br#"{"id": "7", "result": {"a": 1}}"#);
        assert_eq!(read, Message::Response { id: 7, outcome: Ok(json!({"a": 1})) });
    }

    #[test]
    fn an_error_of_any_form_is_read_as_an_error() {
        let read = |error: Value| match read_message(json!({"id": 1, "error": error}).to_string().as_bytes()) {
            Message::Response { outcome: Err(error), .. } => error.message,
            other => panic!("{other:?}"),
        };
        assert_eq!(read(json!({"code": -1, "message": "no", "data": {"details": "key"}})), "no: key");
        assert_eq!(read(json!("just a text")), "\"just a text\"");
    }

    #[test]
    fn a_request_with_a_text_as_id_is_answered_with_that_id() {
        let Message::Request { id, .. } = read_message(br#"{"id": "a-1", "method": "x"}"#) else { panic!() };
        let answer: Value = serde_json::from_slice(&write_result(&id, &json!({}))).unwrap();
        assert_eq!(answer["id"], "a-1");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_message(&bytes);
        }

        #[test]
        fn a_written_message_is_one_line(text in any::<String>()) {
            let line = write_request(1, "session/prompt", &json!({"text": text}));
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        }
    }
}
