//! Calls to URLs of users reach the public internet and what the configuration names, whatever DNS says meanwhile.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use harness::{Options, TestApp};
use reqwest::Method;
use serde_json::json;
use shared::{
    identity::auth::Role,
    platform::http_client::{Lookup, Outbound},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

/// Public when it is asked first, this machine from then on.
#[derive(Default)]
struct Rebinding(AtomicUsize);

impl Lookup for Rebinding {
    fn lookup(&self, _: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { Ipv4Addr::new(1, 1, 1, 1) } else { Ipv4Addr::LOCALHOST };
        Box::pin(async move { Ok(vec![address.into()]) })
    }
}

/// A server that counts who connects, and leads everybody to the metadata of a cloud.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, connections) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let (count, mut tasks) = (connections.clone(), JoinSet::new());
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, connections, _tasks: tasks }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += ": ";
        text += &inner.to_string();
        cause = inner.source();
    }
    text
}

#[tokio::test]
async fn dns_rebinding_between_check_and_call_reaches_no_closed_address() {
    let server = Server::start().await;
    let url = format!("https://agent.example.com:{}/task", server.port);
    let guarded = Outbound::new("".parse().unwrap(), Arc::new(Rebinding::default())).unwrap();
    assert_eq!(guarded.resolve_and_check(&url).await, Ok(()), "the name leads to a public address when it is checked");
    let error = guarded.request(Method::POST, &url).unwrap().send().await.unwrap_err();
    assert!(causes(&error).contains("not public"), "{}", causes(&error));
    assert_eq!(server.connections(), 0);
    assert!(guarded.resolve_and_check(&url).await.is_err());
    // The same call does arrive where the address is allowed: it was the address that was refused.
    let open = Outbound::new("127.0.0.0/8".parse().unwrap(), Arc::new(Rebinding::default())).unwrap();
    open.resolve_and_check(&url).await.unwrap();
    open.request(Method::POST, &url).unwrap().send().await.unwrap_err();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_allowed_address_may_be_called_by_plain_http_and_opens_no_other() {
    let server = Server::start().await;
    let url = format!("http://127.0.0.1:{}/task", server.port);
    let closed = Outbound::new("".parse().unwrap(), Arc::new(Rebinding::default())).unwrap();
    assert!(closed.request(Method::GET, &url).is_err());
    let named = format!("127.0.0.1:{}", server.port).parse().unwrap();
    let outbound = Outbound::new(named, Arc::new(Rebinding::default())).unwrap();
    let answer = outbound.request(Method::GET, &url).unwrap().send().await.unwrap();
    assert_eq!(answer.status(), 302, "a redirect is not followed");
    assert!(outbound.request(Method::GET, "http://127.0.0.1:1/").is_err());
}

#[tokio::test]
async fn a_repository_at_an_address_that_is_not_public_is_refused_unless_it_is_allowed() {
    let mut options = Options::default();
    options.settings.outbound = "10.7.0.0/16".parse().unwrap();
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let body = |url: &str| json!({"title": "Fix it", "initial_prompt": "Do it.", "workspace": {"repository": url}});
    for url in ["https://127.0.0.1/a.git", "git@169.254.169.254:a.git", "ssh://git@[::1]/a.git", "https://0x7f.1/a.git"]
    {
        let problem = caller.post("/sessions", body(url)).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "workspace.repository", "{url}");
    }
    for url in ["https://10.7.0.1/a.git", "https://git.example.com/a.git"] {
        caller.post("/sessions", body(url)).await.expect(201);
    }
}
