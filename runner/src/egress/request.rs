//! The head of a request to the proxy: read, understood, and rewritten for the server.

use httparse::{EMPTY_HEADER, Header, Request, Status};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{destination::Destination, refusal::Refusal};

/// The largest head of a request, in bytes.
const MOST_BYTES: usize = 16 * 1024;
/// The most fields of a head.
const MOST_FIELDS: usize = 64;

/// Fields that concern the connection to the proxy alone. A server that got them could misunderstand where the request
/// ends, or learn the proxy's credential.
const OWN_FIELDS: [&str; 8] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
];

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProxyRequest {
    pub(super) destination: Destination,
    /// Whether the client wants a connection, in which it says what it likes (`CONNECT`).
    pub(super) is_tunnel: bool,
    /// What the server receives first: the rewritten head, and what came after it.
    pub(super) first_bytes: Vec<u8>,
}

/// Reads a head and what arrived with it. None at the end of the connection.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<ProxyRequest>, Refusal> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await.unwrap_or(0);
        if read == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(Refusal::Malformed("the request is incomplete")) };
        }
        if let Some(request) = parse_request(&bytes)? {
            return Ok(Some(request));
        }
        if bytes.len() >= MOST_BYTES {
            return Err(Refusal::TooLarge);
        }
    }
}

/// Understands a head. None where it is not complete yet.
fn parse_request(bytes: &[u8]) -> Result<Option<ProxyRequest>, Refusal> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut request = Request::new(&mut fields);
    let length = match request.parse(&bytes[..bytes.len().min(MOST_BYTES)]) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(_) => return Err(Refusal::Malformed("the request is no HTTP/1.1")),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(Refusal::Malformed("the request has no target"));
    };
    let rest = &bytes[length..];
    if method == "CONNECT" {
        let destination =
            Destination::parse(target, None).ok_or(Refusal::Malformed("CONNECT needs a host and a port"))?;
        return Ok(Some(ProxyRequest { destination, is_tunnel: true, first_bytes: rest.to_vec() }));
    }
    let (authority, path) = split_target(target)?;
    let destination =
        Destination::parse(authority, Some(80)).ok_or(Refusal::Malformed("the URL has no valid host and port"))?;
    let mut first_bytes = rewrite_head(method, &path, authority, request.headers);
    first_bytes.extend_from_slice(rest);
    Ok(Some(ProxyRequest { destination, is_tunnel: false, first_bytes }))
}

/// The host and port of an absolute URL, and the target for its server.
fn split_target(target: &str) -> Result<(&str, String), Refusal> {
    let Some((scheme, rest)) = target.split_once("://") else {
        return Err(Refusal::Malformed("a proxy is asked for an absolute URL, or by CONNECT"));
    };
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(Refusal::Malformed("other URLs than those with http: need CONNECT"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    Ok((authority, if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }))
}

/// The head for the server. It ends the connection after its answer, so that every request passes the policy.
fn rewrite_head(method: &str, path: &str, authority: &str, fields: &[Header<'_>]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    let named_as_own = find_named_fields(fields);
    for Header { name, value } in fields {
        let lower = name.to_ascii_lowercase();
        if !OWN_FIELDS.contains(&lower.as_str()) && !named_as_own.contains(&lower) {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    head
}

/// The fields that `Connection` names. Those that say where the body ends are not a matter of the connection.
fn find_named_fields(fields: &[Header<'_>]) -> Vec<String> {
    let connection = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("connection"));
    let texts = connection.filter_map(|field| std::str::from_utf8(field.value).ok());
    let names = texts.flat_map(|text| text.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !matches!(name.as_str(), "content-length" | "transfer-encoding")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<ProxyRequest>, Refusal> {
        parse_request(text.as_bytes())
    }

    fn first_text(text: &str) -> String {
        String::from_utf8(parse(text).unwrap().unwrap().first_bytes).unwrap()
    }

    #[test]
    fn connect_opens_a_tunnel_and_keeps_what_came_with_it() {
        let request = parse("CONNECT Example.com:443 HTTP/1.1\r\nHost: other\r\n\r\n\x16\x03").unwrap().unwrap();
        assert!(request.is_tunnel && request.first_bytes == b"\x16\x03");
        assert_eq!(request.destination.to_string(), "example.com:443");
        assert_eq!(parse("CONNECT example.com:443 HTTP/1.1\r\nHo"), Ok(None));
    }

    #[test]
    fn an_absolute_url_becomes_a_request_to_its_own_server() {
        let text = "POST http://a.org:8080/x?y=1#z HTTP/1.1\r\nHost: b.org\r\nProxy-Authorization: Basic c\r\n\
                    Connection: X-Own, content-length\r\nX-Own: 1\r\nUpgrade: h2c\r\nContent-Length: 2\r\nX-Other: 2\r\n\r\nhi";
        assert_eq!(
            first_text(text),
            "POST /x?y=1 HTTP/1.1\r\nHost: a.org:8080\r\nContent-Length: 2\r\nX-Other: 2\r\nConnection: close\r\n\r\nhi"
        );
        assert_eq!(
            first_text("GET http://a.org?q HTTP/1.0\r\n\r\n"),
            "GET /?q HTTP/1.1\r\nHost: a.org\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn requests_that_no_proxy_is_asked_are_refused() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a.org\r\n\r\n",
            "GET https://a.org/ HTTP/1.1\r\n\r\n",
            "GET http://user:word@a.org/ HTTP/1.1\r\n\r\n",
            "CONNECT a.org HTTP/1.1\r\n\r\n",
            "CONNECT a.org:443/x HTTP/1.1\r\n\r\n",
            "GET http:///x HTTP/1.1\r\n\r\n",
            "\x16\x03\x01\r\n\r\n",
            "GET http://a.org/ HTTP/2.0\r\n\r\n",
        ] {
            assert!(matches!(parse(text), Err(Refusal::Malformed(_))), "{text}");
        }
        let many = format!("GET http://a.org/ HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
        assert_eq!(parse(&many), Err(Refusal::TooLarge));
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_refused_at_its_largest_size() {
        let endless = format!("GET http://a.org/ HTTP/1.1\r\nA: {}", "b".repeat(1_000_000));
        assert_eq!(read_request(&mut endless.as_bytes()).await, Err(Refusal::TooLarge));
        assert_eq!(read_request(&mut &b""[..]).await, Ok(None));
        assert!(matches!(read_request(&mut &b"GET http"[..]).await, Err(Refusal::Malformed(_))));
    }
}
