//! A private Valkey (the Redis protocol) on the loopback interface, behind a password.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Program, Service, kept_secret, on_free_port, write_private};
use crate::paths;

/// The options of a private server.
#[derive(Clone, Debug, Default)]
pub struct ValkeyOptions {
    /// The folder of its data. Without it nothing is written to disk.
    pub data: Option<PathBuf>,
    /// Its port; by default a free one.
    pub port: Option<u16>,
    /// The file of its log; by default beside its data.
    pub log: Option<PathBuf>,
}

/// A private Valkey.
#[derive(Debug)]
pub struct Valkey {
    service: Service,
    port: u16,
    password: String,
}

impl Valkey {
    /// Starts a server and waits until it answers.
    pub async fn start(options: &ValkeyOptions) -> Result<Self> {
        on_free_port(options.port, async |port| {
            let valkey = Self::prepare(options, port)?;
            valkey.restart().await?;
            Ok(valkey)
        })
        .await
    }

    fn prepare(options: &ValkeyOptions, port: u16) -> Result<Self> {
        let server = paths::valkey()?;
        let folder = options.data.clone().map_or_else(|| paths::temporary("valkey"), Ok)?;
        paths::private(&folder)?;
        let password = kept_secret(&folder.join("password"))?;
        let configuration = folder.join("valkey.conf");
        write_private(&configuration, &configured(&folder, port, &password, options.data.is_some()))?;
        let service = Service::new(Program {
            name: "Valkey",
            command: vec![server.into(), configuration.into()],
            environment: vec![("PATH".into(), paths::path())],
            log: options.log.clone().unwrap_or_else(|| folder.join("log")),
            stop: Signal::SIGTERM,
            grace: Duration::from_secs(5),
            account: None,
            remove: options.data.is_none().then(|| folder.clone()),
            folder,
        });
        Ok(Self { service, port, password })
    }

    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Restarts it on the same port.
    pub async fn restart(&self) -> Result<()> {
        self.service.start(Duration::from_secs(10), |_| answers(self.port, &self.password)).await
    }

    /// Kills it, like a power cut.
    pub async fn kill(&self) {
        self.service.kill().await;
    }

    /// Stops it gracefully.
    pub async fn stop(&self) {
        self.service.stop().await;
    }

    /// Sends it a signal, such as SIGSTOP to suspend it and SIGCONT to resume it.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.service.signal(signal).await
    }

    pub async fn runs(&self) -> bool {
        self.service.runs().await
    }
}

async fn answers(port: u16, password: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes()).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(&answer == b"+OK\r\n+PONG\r\n")
    };
    matches!(timeout(Duration::from_secs(2), ask).await, Ok(Ok(true)))
}

/// The configuration file. It holds the password, because every user can read a command line.
fn configured(folder: &Path, port: u16, password: &str, durable: bool) -> String {
    let save = if durable { "save 60 1" } else { "save \"\"" };
    let folder = folder.display();
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir \"{folder}\"\n{save}\nappendonly no\ndaemonize no\n"
    )
}
