//! A worker process of its own, which is this test binary once more: it can be killed as a machine's failure kills one.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use harness::{
    Options, PATIENCE,
    test_app::{app, work_off},
    until,
};
use nix::sys::signal::Signal;
use shared::{
    app::App,
    kernel::failure::Failure,
    platform::queue::job::{Job, QueueName},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command},
    task::JoinSet,
    time::{interval, timeout},
};

use super::{
    agent::{Call, Hook, Watched, nothing, platform},
    kill_points::Fuse,
};

/// The variable with the addresses of Postgres, Redis and the agent for the process.
const PLACES: &str = "IOC_TEST_PLACES";

/// How long a step may be silent before another process takes it over.
pub(crate) const LEASE: Duration = Duration::from_millis(400);

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.settings.step_lease = LEASE;
    options
}

/// The agent's side: it notes which work it was given, once for each name.
pub(super) struct Agent {
    pub(super) addr: SocketAddr,
    known: Arc<Mutex<BTreeSet<Call>>>,
    _serving: JoinSet<()>,
}

impl Agent {
    pub(super) async fn start(fuse: Arc<Fuse>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let known = Arc::<Mutex<BTreeSet<Call>>>::default();
        let mut serving = JoinSet::new();
        let all = known.clone();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (known, fuse) = (all.clone(), fuse.clone());
                open.spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    if stream.read_line(&mut line).await.is_ok()
                        && let Some(call) = Call::read(&line)
                    {
                        known.lock().unwrap().insert(call);
                        fuse.pass();
                        _ = stream.get_mut().write_all(b"ok\n").await;
                    }
                });
            }
        });
        Self { addr, known, _serving: serving }
    }

    /// How many pieces of work of this kind it was given for a session.
    pub(super) fn count(&self, verb: &str, session: &str) -> usize {
        self.known.lock().unwrap().iter().filter(|call| call.verb == verb && call.session == session).count()
    }
}

/// A running worker process.
pub(crate) struct Host {
    process: Child,
    messages: ChildStdin,
}

impl Host {
    pub(super) fn start(database_url: &str, redis_url: &str, agent: SocketAddr) -> Self {
        Self::play("faults::host::a_process_of_its_own", &format!("{database_url} {redis_url} {agent}"))
    }

    /// Starts the test of this name as a process of its own, with the addresses of everything.
    pub(crate) fn play(test: &str, places: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]);
        command.env(PLACES, places);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let messages = process.stdin.take().unwrap();
        Self { process, messages }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().expect("a process that was not waited for")
    }

    /// Delivers a job, like the queue. A dead process does not receive it.
    pub(crate) async fn enqueue(&mut self, job: &Job) {
        _ = self.messages.write_all(format!("{}\n", serde_json::to_string(job).unwrap()).as_bytes()).await;
    }

    /// Waits until a killed process is gone.
    pub(crate) async fn gone(mut self) {
        timeout(PATIENCE, self.process.wait()).await.expect("a killed process goes").unwrap();
    }

    /// Lets a frozen process go on, and waits until it has done what it had begun.
    pub(crate) async fn thaw(mut self) {
        let id = nix::unistd::Pid::from_raw(self.id().cast_signed());
        nix::sys::signal::kill(id, Signal::SIGCONT).unwrap();
        drop(self.messages);
        timeout(PATIENCE, self.process.wait()).await.expect("it ends by itself").unwrap();
    }
}

#[tokio::test]
#[ignore = "a process that other claims start"]
async fn a_process_of_its_own() {
    let Some([database_url, redis_url, agent]) = places::<3>() else { return };
    let agent: SocketAddr = agent.parse().unwrap();
    let watched = Watched::new(nothing(), report_calls(agent));
    let app = app(&database_url, &redis_url, Options { agents: vec![platform(watched)], ..options() });
    work(&app, &[QueueName::Dispatch, QueueName::Observe, QueueName::Observe, QueueName::Reconcile]).await;
}

/// The addresses that this process was given; nothing if no test started it.
pub(crate) fn places<const N: usize>() -> Option<[String; N]> {
    #[expect(clippy::disallowed_methods, reason = "passes the addresses to the other process")]
    let places = std::env::var(PLACES).ok()?;
    places.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().ok()
}

/// Processes queues, and reconciles, until the end is requested.
pub(crate) async fn work(app: &App, queues: &[QueueName]) {
    let mut workers = JoinSet::new();
    for queue_name in queues.iter().copied() {
        let app = app.clone();
        workers.spawn(async move { work_off(&app, queue_name).await });
    }
    let queue = app.queue.clone();
    workers.spawn(async move {
        let mut reconciler = interval(Duration::from_millis(150));
        loop {
            reconciler.tick().await;
            queue.send(&Job::reconcile()).await.unwrap();
        }
    });
    let (heard, mut messages) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
    while let Some(line) = messages.recv().await {
        app.queue.send(&serde_json::from_str(&line).unwrap()).await.unwrap();
    }
    // The end was asked for: what is under way may end first. Looking at the depth is free of luck, as the work is
    // ours.
    for queue_name in queues.iter().copied().filter(|queue_name| *queue_name != QueueName::Reconcile) {
        until(async || app.queue.depth(queue_name).await.unwrap().in_flight == 0).await;
    }
}

/// Reports a call to the agent's side and waits for its response.
fn report_calls(agent: SocketAddr) -> Hook {
    Box::new(move |call| {
        async move {
            let reported = async {
                let mut stream = BufReader::new(TcpStream::connect(agent).await?);
                stream.get_mut().write_all(call.line().as_bytes()).await?;
                stream.read_line(&mut String::new()).await
            };
            reported.await.map(|_| ()).map_err(|error| Failure::transient("AGENT_UNREACHABLE", error.to_string()))
        }
        .boxed()
    })
}
