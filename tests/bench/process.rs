//! Processes of ours, started as people start them: the local host, and one Lambda.

use std::{
    env, fs,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::DeflateEncoder};
use harness::database::Database;
use local::{env_file::EnvFile, services::free_port};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use shared::platform::postgres::migrations;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    Effort,
    client::{Client, Place, millis, run},
    figure::{Figure, Samples, Target},
    stand::{SESSIONS, body},
};

const ZIPPED: &str = "Lambda sessions, zipped";
const FIRST_POLL: &str = "Lambda, start to first poll";
const FIRST_ANSWER: &str = "local host, start to first answer";
const MEMORY: &str = "memory, 1 000 running sessions";
const RUNNING: usize = 1000;

/// A program of this build, beside the one that runs.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let own = env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built; `make bench` builds it"))
}

/// A function as `make lambda` builds it, for this machine; in a debug build one of that.
fn function(name: &str) -> Result<PathBuf> {
    if cfg!(debug_assertions) {
        return built(name);
    }
    let own = env::current_exe()?;
    let found = own.ancestors().skip(1).map(|folder| folder.join("lambda").join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built; `make bench` builds it"))
}

/// The size of a Lambda's package, and how long its process takes until it asks for work.
pub(crate) async fn lambda(effort: &Effort) -> Vec<Figure> {
    let measured = async {
        let program = function("sessions")?;
        let mut polls = Samples::default();
        for _ in 0..effort.processes {
            polls.push(millis(first_poll(&program).await?));
        }
        anyhow::Ok((zipped(&program)?, polls))
    };
    match measured.await {
        Ok((size, polls)) => vec![
            Figure::of(ZIPPED, "MB", &[size].into_iter().collect())
                .reaching(Target::Below(6.0))
                .note("built for this machine; 1 MB is a million bytes"),
            Figure::of(FIRST_POLL, "ms", &polls).reaching(Target::Below(30.0)),
        ],
        Err(error) => [(ZIPPED, "MB"), (FIRST_POLL, "ms")]
            .map(|(name, unit)| Figure::missing(name, unit, format!("{error:#}")))
            .into(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn zipped(program: &Path) -> Result<f64> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&fs::read(program)?)?;
    Ok(encoder.finish()?.len() as f64 / 1e6)
}

async fn first_poll(program: &Path) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let queue = "http://127.0.0.1:9/000000000000/none";
    let mut command = Command::new(program);
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string());
    command.envs([
        ("AWS_LAMBDA_FUNCTION_NAME", "sessions"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "none"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("API_KEY_PEPPER", "bench"),
        ("DATABASE_URL", "postgres://ioc_app@127.0.0.1:9/none"),
        ("REDIS_URL", "redis://127.0.0.1:9"),
        ("BROADCAST_QUEUE_URL", queue),
        ("BROADCAST_DEAD_QUEUE_URL", queue),
        ("DISPATCH_QUEUE_URL", queue),
        ("DISPATCH_DEAD_QUEUE_URL", queue),
        ("OBSERVE_QUEUE_URL", queue),
        ("OBSERVE_DEAD_QUEUE_URL", queue),
        ("POLL_QUEUE_URL", queue),
        ("POLL_DEAD_QUEUE_URL", queue),
        ("TRAIN_QUEUE_URL", queue),
        ("TRAIN_DEAD_QUEUE_URL", queue),
    ]);
    let began = Instant::now();
    let mut child = command.kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let polled = timeout(Duration::from_secs(10), async {
        let (mut stream, _) = listener.accept().await?;
        let mut request = vec![0; 64];
        stream.read_exact(&mut request).await?;
        let text = String::from_utf8_lossy(&request).into_owned();
        anyhow::Ok((text, began.elapsed()))
    });
    let (request, time) = polled.await.context("the Lambda did not ask for work within 10 s")??;
    child.kill().await?;
    if !request.contains("/runtime/invocation/next") {
        bail!("the Lambda asked for something else first: {request}");
    }
    Ok(time)
}

/// The local host on services that run, as `ioc up` starts it: how soon it answers, and what memory it takes.
pub(crate) async fn local_host(effort: &Effort) -> Vec<Figure> {
    match measure_host(effort).await {
        Ok(figures) => figures,
        Err(error) => [(FIRST_ANSWER, "ms"), (MEMORY, "MiB")]
            .map(|(name, unit)| Figure::missing(name, unit, format!("{error:#}")))
            .into(),
    }
}

async fn measure_host(effort: &Effort) -> Result<Vec<Figure>> {
    let program = built("ioc-server")?;
    let database = Database::new().await;
    let folder = env::temp_dir().join(format!("ioc-bench-host-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    // The role is one in all databases of the server: its password stays what it is.
    fs::write(folder.join("app.password"), migrations::password_in(&database.url).unwrap_or_default())?;
    let measured = async {
        let mut answers = Samples::default();
        for _ in 0..effort.processes {
            let host = Host::start(&program, &folder, &database).await?;
            answers.push(millis(host.answered_after));
            host.stop().await?;
        }
        let host = Host::start(&program, &folder, &database).await?;
        let memory = memory(&host, &folder, &database).await;
        host.stop().await?;
        let memory = match memory {
            Ok(memory) => Figure::of(MEMORY, "MiB", &memory)
                .reaching(Target::Below(120.0))
                .note("resident set of `ioc up`, its servers apart, while it looks at all of them"),
            Err(error) => Figure::missing(MEMORY, "MiB", format!("{error:#}")),
        };
        anyhow::Ok(vec![
            Figure::of(FIRST_ANSWER, "ms", &answers)
                .reaching(Target::Below(150.0))
                .note("`ioc up` with Postgres and Redis given and without a runner, until GET /health is answered"),
            memory,
        ])
    };
    let measured = measured.await;
    fs::remove_dir_all(&folder)?;
    measured
}

struct Host {
    child: Child,
    address: SocketAddr,
    answered_after: Duration,
}

impl Host {
    async fn start(program: &Path, folder: &Path, database: &Database) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(program);
        command.args(["up", "--no-demo", "--no-runner", "--port", &port.to_string(), "--local"]).arg(folder);
        command.env("DATABASE_URL", &database.owner_url).env("REDIS_URL", harness::redis_url());
        command.env("RATE_LIMIT_PER_KEY", "0").env("RATE_LIMIT_PER_TENANT", "0");
        let began = Instant::now();
        let mut child = command.kill_on_drop(true).stdout(Stdio::null()).stdin(Stdio::null()).spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let place = Place { address, key: String::new(), tenant: String::new(), once: false };
        let asked = async {
            loop {
                if TcpStream::connect(address).await.is_ok() {
                    let mut client = Client::connect(&place).await?;
                    client.send("GET", "/health", "").await?;
                    return anyhow::Ok(began.elapsed());
                }
                if child.try_wait()?.is_some() {
                    bail!("ioc up has ended");
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        let answered_after = timeout(Duration::from_secs(30), asked).await.context("ioc up does not answer")??;
        Ok(Self { child, address, answered_after })
    }

    fn id(&self) -> Result<Pid> {
        let id = self.child.id().context("it runs")?;
        Ok(Pid::from_raw(i32::try_from(id)?))
    }

    async fn stop(mut self) -> Result<()> {
        kill(self.id()?, Signal::SIGTERM)?;
        self.child.wait().await?;
        Ok(())
    }
}

/// Lets sessions run that go on for ten minutes, and looks how much memory the process has.
async fn memory(host: &Host, folder: &Path, database: &Database) -> Result<Samples> {
    let env = EnvFile::read(&folder.join("env")).context("ioc up writes who may call it")?;
    let owner = migrations::connect_owner(&database.owner_url).await?;
    owner.batch_execute("update tenants set max_concurrent_sessions = 5000, max_tokens_per_month = 0").await?;
    let place = Place { address: host.address, key: env.key.clone(), tenant: env.tenant.clone(), once: false };
    let script = r#"{"agent": "scripted", "script": [{"do": "wait", "ms": 600000}]}"#;
    let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(RUNNING));
    let request = move || {
        let order = std::sync::atomic::Ordering::Relaxed;
        left.fetch_update(order, order, |left| left.checked_sub(1)).ok()?;
        Some(("POST", SESSIONS.to_owned(), body(script, true)))
    };
    run(&place, 16, Duration::from_mins(1), request).await?;
    let handed_over = "select count(*) from sessions where status = 'running' and run_state is not null";
    let all = i64::try_from(RUNNING)?;
    let late = Instant::now() + Duration::from_mins(1);
    loop {
        let running: i64 = owner.query_one(handed_over, &[]).await?.get(0);
        if running >= all {
            break;
        }
        if Instant::now() > late {
            bail!("only {running} of {RUNNING} sessions run a minute after they were started");
        }
        sleep(Duration::from_millis(100)).await;
    }
    let mut samples = Samples::default();
    for _ in 0..8 {
        sleep(Duration::from_millis(500)).await;
        samples.push(resident(host.id()?).await?);
    }
    Ok(samples)
}

/// The resident set of a process in MiB.
pub(crate) async fn resident(process: Pid) -> Result<f64> {
    let output = Command::new("ps").args(["-o", "rss=", "-p", &process.to_string()]).output().await?;
    let kib: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().context("ps says a size")?;
    Ok(kib / 1024.0)
}
