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
use crate::checkout;

/// How it is to run.
#[derive(Clone, Debug, Default)]
pub struct ValkeyOptions {
    /// Where its data is kept. Without it nothing is ever written to disk.
    pub data: Option<PathBuf>,
    /// Its port; a free one when absent.
    pub port: Option<u16>,
    /// Where its log goes; beside its data when absent.
    pub log: Option<PathBuf>,
}

/// A Valkey of our own.
#[derive(Debug)]
pub struct Valkey {
    service: Service,
    port: u16,
    password: String,
}

impl Valkey {
    /// Starts one and waits until it answers.
    pub async fn start(options: &ValkeyOptions) -> Result<Self> {
        on_free_port(options.port, async |port| {
            let valkey = Self::prepare(options, port)?;
            valkey.restart().await?;
            Ok(valkey)
        })
        .await
    }

    fn prepare(options: &ValkeyOptions, port: u16) -> Result<Self> {
        let server = checkout::valkey()?;
        let folder = options.data.clone().map_or_else(|| checkout::temporary("valkey"), Ok)?;
        checkout::private(&folder)?;
        let password = kept_secret(&folder.join("password"))?;
        let configuration = folder.join("valkey.conf");
        write_private(&configuration, &configured(&folder, port, &password, options.data.is_some()))?;
        let service = Service::new(Program {
            name: "Valkey",
            command: vec![server.into(), configuration.into()],
            environment: vec![("PATH".into(), checkout::path())],
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

    /// Starts it again on the same port, stopping it first where it runs.
    pub async fn restart(&self) -> Result<()> {
        self.service.start(Duration::from_secs(10), |_| answers(self.port, &self.password)).await
    }

    /// Ends it as a power cut would.
    pub async fn kill(&self) {
        self.service.kill().await;
    }

    /// Ends it in peace.
    pub async fn stop(&self) {
        self.service.stop().await;
    }

    /// Sends it a signal, such as SIGSTOP to make it hang and SIGCONT to let it go on.
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

/// The configuration file; the password stands there and not on a command line, which everybody can read.
fn configured(folder: &Path, port: u16, password: &str, durable: bool) -> String {
    let save = if durable { "save 60 1" } else { "save \"\"" };
    let folder = folder.display();
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir \"{folder}\"\n{save}\nappendonly no\ndaemonize no\n"
    )
}
