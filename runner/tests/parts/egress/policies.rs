//! What each policy lets through, and what is said of the rest.

use runner::egress::{DenialReason, DeniedConnection, EgressPolicy};

use super::support::{ProxyFixture, Server, guard};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

fn allowlist(domain: &str) -> EgressPolicy {
    EgressPolicy::Allowlist(vec![domain.parse().expect("a domain")])
}

fn denied(host: &str, port: u16, reason: DenialReason) -> DeniedConnection {
    DeniedConnection { host: host.to_owned(), port, reason }
}

#[tokio::test]
async fn a_session_without_network_is_refused_with_the_remedy_once_a_host() {
    let mut server = Server::start("\r\n\r\n", ANSWER).await;
    let mut fixture = ProxyFixture::start(EgressPolicy::None);
    let port = server.address.port();
    for _ in 0..3 {
        let answer = fixture.exchange(format!("GET http://localhost:{port}/ HTTP/1.1\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
        assert!(answer.contains("EGRESS_DENIED: localhost:") && answer.contains("agent_config.network"), "{answer}");
    }
    let (line, _) = fixture.open_tunnel(&format!("127.0.0.1:{port}")).await;
    assert_eq!(line, "HTTP/1.1 403 Forbidden");
    assert_eq!(fixture.denied.recv().await, Some(denied("localhost", port, DenialReason::Policy)));
    assert_eq!(fixture.denied.recv().await, Some(denied("127.0.0.1", port, DenialReason::Policy)));
    assert!(fixture.denied.try_recv().is_err() && server.has_no_request());
    assert_eq!((fixture.proxy.totals().denied, fixture.proxy.totals().connections), (4, 0));
}

#[tokio::test]
async fn an_allowlist_lets_its_domains_and_ports_through_and_nothing_else() {
    let mut server = Server::start("\r\n\r\n", ANSWER).await;
    let port = server.address.port();
    let mut fixture = ProxyFixture::start(allowlist(&format!("localhost:{port}")));
    let request = format!("GET http://LOCALHOST.:{port}/a?b HTTP/1.1\r\nHost: other\r\nProxy-Connection: x\r\n\r\n");
    assert_eq!(fixture.exchange(request.as_bytes()).await, ANSWER);
    let received = server.next_request().await;
    assert_eq!(received, format!("GET /a?b HTTP/1.1\r\nHost: LOCALHOST.:{port}\r\nConnection: close\r\n\r\n"));
    for other in [format!("127.0.0.1:{port}"), "localhost:22".to_owned(), format!("x.localhost:{port}")] {
        assert_eq!(fixture.open_tunnel(&other).await.0, "HTTP/1.1 403 Forbidden", "{other}");
    }
    assert_eq!(fixture.denied.recv().await, Some(denied("127.0.0.1", port, DenialReason::Policy)));
    assert!(server.has_no_request());
}

#[tokio::test]
async fn an_open_session_reaches_no_private_address_by_number_or_by_name() {
    let mut server = Server::start("\r\n\r\n", ANSWER).await;
    let port = server.address.port();
    let mut fixture = ProxyFixture::start_with_guard(EgressPolicy::Open, guard(&[]));
    let hosts = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
    ];
    for host in hosts {
        let (line, _) = fixture.open_tunnel(&format!("{host}:{port}")).await;
        assert_eq!(line, "HTTP/1.1 403 Forbidden", "{host}");
        assert_eq!(fixture.denied.recv().await.unwrap().reason, DenialReason::Address, "{host}");
    }
    assert!(server.has_no_request());
}

#[tokio::test]
async fn an_address_that_the_runner_permits_is_reached_and_opens_no_other() {
    let server = Server::start("?", "!").await;
    let fixture = ProxyFixture::start_with_guard(EgressPolicy::Open, guard(&["127.0.0.1"]));
    let port = server.address.port();
    assert_eq!(fixture.open_tunnel(&format!("localhost:{port}")).await.0, "HTTP/1.1 200 Connection established");
    assert_eq!(fixture.open_tunnel(&format!("127.0.0.2:{port}")).await.0, "HTTP/1.1 403 Forbidden");
}
