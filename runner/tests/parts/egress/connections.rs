//! How connections pass, end and are bounded.

use runner::egress::EgressPolicy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};

use super::support::{ProxyFixture, Server, read_all};

#[tokio::test]
async fn a_tunnel_passes_bytes_in_both_directions_and_counts_them() {
    let mut server = Server::start("question", "answer").await;
    let fixture = ProxyFixture::start(EgressPolicy::Open);
    let (line, mut stream) = fixture.open_tunnel(&server.address.to_string()).await;
    assert_eq!(line, "HTTP/1.1 200 Connection established");
    stream.write_all(b"\0question").await.unwrap();
    assert_eq!(read_all(&mut stream).await, "answer");
    assert_eq!(server.next_request().await, "\0question");
    let totals = fixture.proxy.totals();
    assert_eq!((totals.connections, totals.sent_bytes, totals.received_bytes, totals.denied), (1, 9, 6, 0));
}

#[tokio::test]
async fn the_body_of_a_request_reaches_the_server_whole() {
    let body = "x".repeat(300_000) + "end";
    let mut server = Server::start("end", "HTTP/1.1 204 No Content\r\n\r\n").await;
    let fixture = ProxyFixture::start(EgressPolicy::Open);
    let head = format!("PUT http://{}/file HTTP/1.1\r\nContent-Length: {}\r\n\r\n", server.address, body.len());
    let answer = fixture.exchange(format!("{head}{body}").as_bytes()).await;
    assert_eq!(answer, "HTTP/1.1 204 No Content\r\n\r\n");
    let received = server.next_request().await;
    assert!(received.starts_with("PUT /file HTTP/1.1\r\n") && received.ends_with(&format!("\r\n\r\n{body}")));
}

#[tokio::test]
async fn requests_that_are_wrong_or_too_large_are_answered_and_reach_nobody() {
    let fixture = ProxyFixture::start(EgressPolicy::Open);
    let large = format!("GET http://localhost/ HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(20_000));
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        ("GET https://localhost/ HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("\x16\x03\x01\x02\r\n\r\n", "400 Bad Request"),
        ("CONNECT localhost HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (&large, "431 Request Header Fields Too Large"),
        ("CONNECT no-such-name.invalid:443 HTTP/1.1\r\n\r\n", "502 Bad Gateway"),
    ] {
        let mut stream = UnixStream::connect(fixture.socket()).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    }
    assert_eq!(fixture.proxy.totals().connections, 0);
}

#[tokio::test]
async fn a_server_that_accepts_nothing_is_reported_as_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut fixture = ProxyFixture::start(EgressPolicy::Open);
    assert_eq!(fixture.open_tunnel(&address.to_string()).await.0, "HTTP/1.1 504 Gateway Timeout");
    assert!(fixture.denied.try_recv().is_err(), "nothing was refused");
}

#[tokio::test]
async fn a_connection_above_the_most_is_refused_until_another_ends() {
    let server = Server::start("end", "").await;
    let fixture = ProxyFixture::start(EgressPolicy::Open);
    let destination = server.address.to_string();
    let mut open = Vec::new();
    for _ in 0..64 {
        let (line, stream) = fixture.open_tunnel(&destination).await;
        assert_eq!(line, "HTTP/1.1 200 Connection established");
        open.push(stream);
    }
    assert_eq!(fixture.open_tunnel(&destination).await.0, "HTTP/1.1 503 Service Unavailable");
    let mut last = open.pop().unwrap();
    last.write_all(b"end").await.unwrap();
    read_all(&mut last).await;
    drop(last);
    loop {
        let (line, _stream) = fixture.open_tunnel(&destination).await;
        if line == "HTTP/1.1 200 Connection established" {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_end_of_a_proxy_ends_its_connections_and_removes_its_socket() {
    let server = Server::start("end", "").await;
    let fixture = ProxyFixture::start(EgressPolicy::Open);
    let (_, mut stream) = fixture.open_tunnel(&server.address.to_string()).await;
    let socket = fixture.socket().to_owned();
    drop(fixture);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(!socket.exists() && UnixStream::connect(&socket).await.is_err());
}
