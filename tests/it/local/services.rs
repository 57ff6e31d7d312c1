//! Postgres and Valkey of our own: they answer, survive what tests do to them, and leave nothing behind.

use std::process::Stdio;

use local::{
    paths,
    services::{Postgres, PostgresOptions, Valkey, ValkeyOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
};
use tokio_postgres::{Client, NoTls};

use super::{ioc, open_folder, processes_in, until};

/// A connection that is driven as long as the test runs.
async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::runtime::Handle::current().spawn(connection);
    client
}

#[tokio::test]
async fn postgres_keeps_its_data_through_a_kill_and_a_restart() {
    let postgres = Postgres::start(&PostgresOptions::default()).await.unwrap();
    let client = connect(&postgres.url()).await;
    client.batch_execute("create table kept (n int); insert into kept values (7)").await.unwrap();
    postgres.kill().await;
    assert!(!postgres.runs().await);
    assert!(client.query_one("select 1", &[]).await.is_err());
    postgres.restart().await.unwrap();
    let row = connect(&postgres.url()).await.query_one("select n from kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    postgres.restart().await.unwrap();
    let row = connect(&postgres.url()).await.query_one("select n from kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    postgres.stop().await;
}

#[tokio::test]
async fn the_next_start_finds_kept_data_and_the_same_password() {
    let folder = open_folder("kept");
    let options = PostgresOptions { data: Some(folder.join("postgres")), ..PostgresOptions::default() };
    let first = Postgres::start(&options).await.unwrap();
    connect(&first.url()).await.batch_execute("create table kept (n int)").await.unwrap();
    // Nobody says goodbye: the next one waits for the last one to be gone.
    drop(first);
    let second = Postgres::start(&options).await.unwrap();
    connect(&second.url()).await.query("select n from kept", &[]).await.unwrap();
    second.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let postgres = Postgres::start(&PostgresOptions::default()).await.unwrap();
    let wrong = format!("postgres://postgres:wrong@127.0.0.1:{}/ioc", postgres.port());
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err());
    let valkey = Valkey::start(&ValkeyOptions::default()).await.unwrap();
    assert!(redis(&valkey, "PING\r\n").await.starts_with("-NOAUTH"));
}

/// The first line of the answer to inline commands.
async fn redis(valkey: &Valkey, commands: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", valkey.port())).await.unwrap();
    stream.write_all(commands.as_bytes()).await.unwrap();
    let mut answer = vec![0; 512];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn valkey_comes_back_on_the_same_address_after_a_kill() {
    let valkey = Valkey::start(&ValkeyOptions::default()).await.unwrap();
    let url = valkey.url();
    valkey.kill().await;
    assert!(TcpStream::connect(("127.0.0.1", valkey.port())).await.is_err());
    valkey.restart().await.unwrap();
    assert_eq!(valkey.url(), url);
}

#[tokio::test]
async fn a_suspended_server_can_be_resumed_and_stopped() {
    let valkey = Valkey::start(&ValkeyOptions::default()).await.unwrap();
    valkey.signal(Signal::SIGSTOP).await.unwrap();
    assert!(valkey.runs().await);
    valkey.signal(Signal::SIGCONT).await.unwrap();
    assert!(redis(&valkey, "PING\r\n").await.starts_with("-NOAUTH"));
    valkey.signal(Signal::SIGSTOP).await.unwrap();
    valkey.stop().await;
    assert!(TcpStream::connect(("127.0.0.1", valkey.port())).await.is_err());
}

#[tokio::test]
async fn the_services_command_passes_addresses_and_returns_the_exit_code() {
    let script = r#"case "$TEST_DATABASE_URL$TEST_REDIS_URL" in postgres://*redis://*) exit 7;; *) exit 1;; esac"#;
    let ended = Command::new(ioc())
        .args(["services", "--", "sh", "-c", script])
        .env_remove("TEST_DATABASE_URL")
        .env_remove("TEST_REDIS_URL")
        .status()
        .await;
    assert_eq!(ended.unwrap().code(), Some(7));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_server_survives_when_its_parent_is_killed() {
    let tmp = open_folder("orphans");
    let mut starter = Command::new(ioc())
        .args(["services", "--", "sh", "-c", "echo ready; cat"])
        .env_remove("TEST_DATABASE_URL")
        .env_remove("TEST_REDIS_URL")
        .env("TMPDIR", &tmp)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    let tmp = tmp.to_string_lossy().into_owned();
    assert!(processes_in(&tmp).len() >= 4, "two servers under two supervisors");
    kill(Pid::from_raw(starter.id().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    until("servers are left", || processes_in(&tmp).is_empty()).await;
    until("data is left", || std::fs::read_dir(&tmp).unwrap().next().is_none()).await;
    std::fs::remove_dir_all(tmp).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_detached_child_of_a_server_ends_with_the_server() {
    let mark = paths::temporary("detached").unwrap();
    let script = format!("setsid bash -c 'exec -a {0} sleep 600' & sleep 600; : {0}", mark.display());
    let mut supervisor = Command::new(ioc().with_file_name("ioc-server"))
        .args(["supervise", "--", "bash", "-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = mark.to_string_lossy().into_owned();
    until("it starts", || processes_in(&folder).len() >= 3).await;
    drop(supervisor.stdin.take());
    supervisor.wait().await.unwrap();
    assert_eq!(processes_in(&folder), Vec::<String>::new());
    std::fs::remove_dir_all(mark).unwrap();
}
