//! The network of an agent in a sandbox: through the proxy of its session, with the programs that people use.

use runner::{
    egress::{AddressGuard, DenialReason, EgressPolicy},
    sandbox::LoopbackPort,
};

use super::support::{Prepared, Session};
use crate::egress::support::{ProxyFixture, Server};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";

/// Runs a script in a sandbox with a proxy.
async fn run(fixture: &ProxyFixture, script: &str) -> Session {
    let mut session = Prepared::new();
    session.spec.egress = Some(LoopbackPort { port: 8081, socket: fixture.socket().to_owned() });
    session.run(script).await
}

#[tokio::test]
async fn programs_in_a_sandbox_use_the_proxy_by_their_environment() {
    let mut server = Server::start("\r\n\r\n", ANSWER).await;
    let url = format!("http://localhost:{}/file", server.address.port());
    let fixture = ProxyFixture::start(EgressPolicy::Open);
    // NO_PROXY names localhost, so the programs are instructed to use the proxy for it as well.
    let python = "import os, urllib.request as r; os.environ[\"no_proxy\"] = os.environ[\"NO_PROXY\"] = \"\"; \
                  print(r.urlopen(\"URL\").read().decode(), end=\"\")";
    let script = format!(
        "curl -sS --noproxy '' {url}; curl -sS --noproxy '' --proxytunnel {url}; /usr/bin/python3 -c '{}'",
        python.replace("URL", &url)
    );
    let mut session = run(&fixture, &script).await;
    let output = session.read_output().await;
    assert_eq!((output.as_str(), session.errors().await.as_str()), ("hello\nhello\nhello\n", ""));
    for _ in 0..3 {
        assert!(server.next_request().await.starts_with("GET /file HTTP/1.1\r\n"));
    }
    assert_eq!(fixture.proxy.totals().connections, 3);
}

#[tokio::test]
async fn the_metadata_address_and_the_machine_are_refused_on_an_open_session() {
    let server = Server::start("\r\n\r\n", ANSWER).await;
    let mut fixture = ProxyFixture::start_with_guard(EgressPolicy::Open, AddressGuard::default());
    let own = format!("127.0.0.1:{}", server.address.port());
    let script = format!(
        "for url in http://169.254.169.254/latest/meta-data/ http://[fd00:ec2::254]/ http://{own}/; do \
         curl -sSg --noproxy '' -o /dev/null -w '%{{http_code}}\\n' $url; done; \
         curl -sS --noproxy '' --proxytunnel http://{own}/ 2>&1 | grep -o 403"
    );
    let mut session = run(&fixture, &script).await;
    assert_eq!(session.read_output().await, "403\n403\n403\n403\n");
    for host in ["169.254.169.254", "fd00:ec2::254", "127.0.0.1"] {
        let denied = fixture.denied.recv().await.unwrap();
        assert_eq!((denied.host.as_str(), denied.reason), (host, DenialReason::Address));
    }
    assert!(fixture.denied.try_recv().is_err());
}

#[tokio::test]
async fn a_session_without_network_is_refused_by_the_proxy_and_has_no_other_way() {
    let server = Server::start("\r\n\r\n", ANSWER).await;
    let mut fixture = ProxyFixture::start(EgressPolicy::None);
    let own = format!("127.0.0.1:{}", server.address.port());
    let script = format!(
        "curl -s http://example.com/ | cut -d' ' -f1-2; curl -s --noproxy '*' --max-time 5 http://{own}/ && echo reached; \
         curl -s --noproxy '*' --max-time 5 https://1.1.1.1/ && echo reached; env | grep -i proxy | sort"
    );
    let mut session = run(&fixture, &script).await;
    let proxy = "http://127.0.0.1:8081";
    let variables = format!(
        "HTTPS_PROXY={proxy}\nHTTP_PROXY={proxy}\nNO_PROXY=127.0.0.1,localhost\nhttp_proxy={proxy}\nhttps_proxy={proxy}\n\
         no_proxy=127.0.0.1,localhost\n"
    );
    assert_eq!(session.read_output().await, format!("EGRESS_DENIED: example.com:80\n{variables}"));
    assert_eq!(fixture.denied.recv().await.unwrap().host, "example.com");
}

#[tokio::test]
async fn sockets_that_no_namespace_separates_are_refused() {
    let script = "/usr/bin/python3 - <<'END'\n\
        import socket\n\
        for family in (socket.AF_VSOCK, socket.AF_ALG, socket.AF_PACKET, socket.AF_BLUETOOTH):\n\
        \x20   try:\n\
        \x20       socket.socket(family, socket.SOCK_STREAM)\n\
        \x20       print(family, 'opened')\n\
        \x20   except PermissionError:\n\
        \x20       print('refused')\n\
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):\n\
        \x20   kind = socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM\n\
        \x20   socket.socket(family, kind)\n\
        END";
    let mut session = Session::start(script).await;
    let output = session.read_output().await;
    assert_eq!((output.as_str(), session.errors().await.as_str()), ("refused\nrefused\nrefused\nrefused\n", ""));
}
