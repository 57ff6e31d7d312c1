//! A private PostgreSQL on the loopback interface, behind a password.

mod home;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use home::Home;
use nix::sys::signal::Signal;
use tokio::time::timeout;
use tokio_postgres::NoTls;

use super::{Program, Service, on_free_port};
use crate::paths;

/// The database of ioc.
const DATABASE: &str = "ioc";

/// The options of a private server.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// The folder of its data. Without it the data is temporary, and for speed not durable through a power cut.
    pub data: Option<PathBuf>,
    /// Its port; by default a free one.
    pub port: Option<u16>,
    /// The file of its log; by default beside its data.
    pub log: Option<PathBuf>,
}

/// A private PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    service: Service,
    port: u16,
    password: String,
}

impl Postgres {
    /// Starts a server and waits until it answers; creates its data and the database if they do not exist.
    pub async fn start(options: &PostgresOptions) -> Result<Self> {
        let home = Home::open(options.data.as_deref())?;
        home.wait_for_the_last_one().await?;
        on_free_port(options.port, async |port| {
            let postgres = Self::on(&home, port, options);
            postgres.restart().await?;
            postgres.create_database().await?;
            Ok(postgres)
        })
        .await
    }

    fn on(home: &Home, port: u16, options: &PostgresOptions) -> Self {
        let mut command = vec![home.program("postgres").into(), "-D".into(), home.data().into()];
        for setting in settings(port, home.temporary) {
            command.extend(["-c".into(), setting.into()]);
        }
        let service = Service::new(Program {
            name: "PostgreSQL",
            command,
            environment: [("LC_ALL", "C".into()), ("TZ", "UTC".into()), ("PATH", paths::path())]
                .map(|(name, value)| (name.into(), value))
                .into(),
            log: options.log.clone().unwrap_or_else(|| home.folder.join("log")),
            // A fast shutdown: sessions are terminated, and the data is left clean.
            stop: Signal::SIGINT,
            grace: Duration::from_secs(10),
            account: home.account,
            remove: home.temporary.then(|| home.folder.clone()),
            folder: home.folder.clone(),
        });
        Self { service, port, password: home.password.clone() }
    }

    /// The URL of the database, as a superuser.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Restarts it on the same port and data.
    pub async fn restart(&self) -> Result<()> {
        let url = self.url_of("postgres");
        self.service.start(Duration::from_mins(1), |_| answers(&url)).await
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

    async fn create_database(&self) -> Result<()> {
        let url = self.url_of("postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        let create = async {
            let known = "select 1 from pg_database where datname = $1";
            if client.query_opt(known, &[&DATABASE]).await?.is_none() {
                client.batch_execute(&format!("create database {DATABASE}")).await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        };
        let created = tokio::select! { created = create => created, ended = connection => ended };
        created.context("the database cannot be created")
    }
}

/// The settings that differ from PostgreSQL's defaults.
fn settings(port: u16, temporary: bool) -> Vec<String> {
    let mut settings = vec![format!("port={port}")];
    let always = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=300",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
    ];
    // Committed data still survives a kill of the server: the system has it, though perhaps not yet the disk.
    let unsafe_but_fast = ["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0"];
    settings.extend(always.map(String::from));
    if temporary {
        settings.extend(unsafe_but_fast.map(String::from));
    }
    settings
}

async fn answers(url: &str) -> bool {
    let ask = async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::select! {
            answer = client.simple_query("select 1") => answer.map(|_| true),
            ended = connection => ended.map(|()| false),
        }
    };
    matches!(timeout(Duration::from_secs(2), ask).await, Ok(Ok(true)))
}
