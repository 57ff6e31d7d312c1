//! What the proxy itself answers, instead of a server.

use super::denial::DeniedConnection;

/// A request that reached no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The head of the request is no HTTP, or not what a proxy is asked.
    Malformed(&'static str),
    /// The head is larger than it may be.
    TooLarge,
    /// The head did not arrive in time.
    TooSlow,
    /// The session has too many connections already.
    TooMany,
    Denied(DeniedConnection),
    /// The name has no address.
    Unresolved(String),
    /// No address of the name accepted a connection in time.
    Unreachable(String),
}

impl Refusal {
    /// The whole response. The connection ends with it.
    pub(super) fn to_response(&self) -> String {
        let (status, text) = self.describe();
        let length = text.len() + 1;
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{text}\n"
        )
    }

    fn describe(&self) -> (&'static str, String) {
        match self {
            Self::Malformed(reason) => ("400 Bad Request", format!("EGRESS_REQUEST_INVALID: {reason}.")),
            Self::TooLarge => (
                "431 Request Header Fields Too Large",
                "EGRESS_REQUEST_INVALID: the head of the request has more than 16 KiB or 64 fields.".to_owned(),
            ),
            Self::TooSlow => ("408 Request Timeout", "EGRESS_REQUEST_INVALID: the request took too long.".to_owned()),
            Self::TooMany => (
                "503 Service Unavailable",
                "EGRESS_TOO_MANY_CONNECTIONS: this session has too many connections: close some.".to_owned(),
            ),
            Self::Denied(denied) => ("403 Forbidden", denied.to_string()),
            Self::Unresolved(host) => ("502 Bad Gateway", format!("EGRESS_UNRESOLVED: {host} has no address.")),
            Self::Unreachable(host) => {
                ("504 Gateway Timeout", format!("EGRESS_UNREACHABLE: {host} accepts no connection."))
            }
        }
    }
}
