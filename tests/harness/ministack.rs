//! `MiniStack`, a server that speaks the protocols of AWS: started once per test process, and gone with it.
//!
//! It comes from `make setup-test` (or from wherever the variable MINISTACK points). Without it a test that needs it
//! fails and says so, rather than pass untested.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region},
    types::QueueAttributeName,
};

use shared::{kernel::id::SessionId, platform::queue::SqsSettings};

use crate::{
    PATIENCE,
    child_process::{free_port, kept, test_program},
};

/// The region and the account that everything on this server is in.
pub const REGION: &str = "us-east-1";
pub const ACCOUNT: &str = "000000000000";

/// A running server.
pub struct Ministack {
    /// Where it answers, such as `http://127.0.0.1:34567`.
    pub endpoint: String,
    _keeper: Child,
}

/// The server of this test process.
pub fn ministack() -> &'static Ministack {
    static SERVER: OnceLock<Ministack> = OnceLock::new();
    SERVER.get_or_init(|| start(&test_program("ministack", "MINISTACK")))
}

fn start(program: &Path) -> Ministack {
    let port = free_port();
    let keeper = kept(program)
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("LOG_LEVEL", "ERROR")
        .env("MINISTACK_REGION", REGION)
        .stdout(Stdio::null())
        .spawn()
        .expect("sh starts");
    let deadline = Instant::now() + PATIENCE;
    while !answers(port) {
        assert!(Instant::now() < deadline, "{} did not answer", program.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ministack { endpoint: format!("http://127.0.0.1:{port}"), _keeper: keeper }
}

fn answers(port: u16) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /_ministack/health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.contains(" 200 "))
}

impl Ministack {
    /// A client of its SQS. One per test: its connections belong to the test's own runtime.
    pub fn sqs(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        Client::from_conf(config)
    }

    /// Makes a bucket and gives its name.
    pub async fn bucket(&self) -> String {
        let name = format!("bucket-{}", SessionId::new());
        let made = reqwest::Client::new().put(format!("{}/{name}", self.endpoint)).send().await;
        assert!(made.expect("it answers").status().is_success(), "a bucket is made");
        name
    }

    /// Makes a queue with its dead-letter queue and gives the addresses of both.
    pub async fn queue(&self, name: &str, visibility: Duration, max_receives: u32) -> (String, String) {
        let sqs = self.sqs();
        let dead = sqs.create_queue().queue_name(format!("{name}-dead")).send().await.expect("a queue is made");
        let policy = format!(
            r#"{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead","maxReceiveCount":{max_receives}}}"#
        );
        let call = sqs.create_queue().queue_name(name).attributes(QueueAttributeName::RedrivePolicy, policy);
        let visibility = visibility.as_secs().to_string();
        let live = call.attributes(QueueAttributeName::VisibilityTimeout, visibility).send().await;
        let live = live.expect("a queue is made");
        (live.queue_url.expect("it has an address"), dead.queue_url.expect("it has an address"))
    }

    /// Makes the queues of a deployment, with names that end so.
    pub async fn queues(&self, name: &str, visibility: Duration, max_receives: u32) -> SqsSettings {
        let made = async |queue_name: &str| self.queue(&format!("{queue_name}-{name}"), visibility, max_receives).await;
        let (dispatch_url, dispatch_dead_url) = made("dispatch").await;
        let (observe_url, observe_dead_url) = made("observe").await;
        let (broadcast_url, broadcast_dead_url) = made("broadcast").await;
        let (poll_url, poll_dead_url) = made("poll").await;
        let (train_url, train_dead_url) = made("train").await;
        SqsSettings {
            dispatch_url,
            dispatch_dead_url,
            observe_url,
            observe_dead_url,
            broadcast_url,
            broadcast_dead_url,
            poll_url,
            poll_dead_url,
            train_url,
            train_dead_url,
            ..SqsSettings::default()
        }
    }
}
