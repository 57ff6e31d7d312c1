//! `ioc up` as a person starts it: its output, what it keeps, and what it leaves behind, which is nothing.

use std::{
    fs,
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use local::env_file::EnvFile;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::{ioc, open_folder, processes_in, until};

/// A folder instead of `.local`, and how ioc is run with it.
struct Place {
    local: PathBuf,
}

/// A running ioc.
struct Up {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Place {
    fn new() -> Self {
        Self { local: open_folder("up") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ioc());
        command.arg(arguments[0]).arg("--local").arg(&self.local).args(&arguments[1..]).kill_on_drop(true);
        command.env_remove("DATABASE_URL").env_remove("REDIS_URL").env("IOC_MODEL", "scripted");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn up(&self, arguments: &[&str]) -> Up {
        let mut process = self.command(&[&["up", "--port", "0"], arguments].concat()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Up { process, lines }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    fn env(&self) -> EnvFile {
        EnvFile::read(&self.local.join("env")).unwrap()
    }

    async fn sessions(&self) -> Vec<Value> {
        let env = self.env();
        let asked = reqwest::Client::new().get(format!("{}/api/v1/sessions", env.url)).bearer_auth(env.key);
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap().clone()
    }

    async fn nothing_runs(&self) {
        let folder = self.local.to_string_lossy().into_owned();
        until("processes are left", || processes_in(&folder).is_empty()).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.local);
    }
}

impl Up {
    /// Reads its output until a line contains this text.
    async fn says(&mut self, last: &str) -> String {
        let mut said = String::new();
        let all = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                said.push_str(&line);
                said.push('\n');
                if line.contains(last) {
                    break;
                }
            }
        };
        _ = timeout(Duration::from_mins(2), all).await;
        assert!(said.contains(last), "{last:?} is not said:\n{said}");
        said
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().unwrap().cast_signed()), signal).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_main_job_is_shown_and_a_second_start_keeps_keys_and_data() {
    let place = Place::new();
    let mut first = place.up(&[]);
    let story = first.says("Ctrl-C ends it").await;
    for part in [
        "SCRIPTED",
        "queued -> running",
        "isolation: sandbox",
        "tool edit: fizz.py",
        "running -> completed",
        "+    words =",
        "USD",
        "the dashboard is ",
    ] {
        assert!(story.contains(part), "{part:?} is missing:\n{story}");
    }
    let refused = place.run(&["up", "--port", "0"]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("already runs here"), "{refused:?}");
    let env = place.env();
    first.signal(Signal::SIGINT);
    assert!(first.process.wait().await.unwrap().success());
    assert_eq!(processes_in(&place.local.to_string_lossy()), Vec::<String>::new());

    let mut second = place.up(&[]);
    let words = second.says("Ctrl-C ends it").await;
    assert!(words.contains("ran at an earlier start"), "{words}");
    assert_eq!((place.env().key, place.env().admin_key), (env.key, env.admin_key));
    assert_eq!(place.sessions().await.len(), 1);
    second.signal(Signal::SIGKILL);
    place.nothing_runs().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_start_that_is_interrupted_leaves_nothing_behind() {
    let place = Place::new();
    let mut up = place.up(&["--no-demo"]);
    up.says("Valkey is ready").await;
    up.signal(Signal::SIGTERM);
    assert!(up.process.wait().await.unwrap().success());
    place.nothing_runs().await;
}

#[tokio::test]
async fn the_demo_fails_and_says_why_when_nothing_runs() {
    let place = Place::new();
    let failed = place.run(&["demo"]).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("run `make up` first"), "{failed:?}");
    let env = EnvFile { url: "http://127.0.0.1:9".to_owned(), model: "scripted".to_owned(), ..EnvFile::default() };
    env.write(&place.local.join("env")).unwrap();
    let failed = place.run(&["demo"]).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("does `make up` run?"), "{failed:?}");
}

#[tokio::test]
async fn the_link_to_the_dashboard_signs_in_once_with_a_leads_key_that_ends_soon() {
    let place = Place::new();
    let pages = place.local.join("pages");
    fs::create_dir_all(&pages).unwrap();
    fs::write(pages.join("index.html"), "<title>ioc</title>").unwrap();
    let mut up = place.up(&["--no-demo", "--dashboard", &pages.to_string_lossy()]);
    let story = up.says("Ctrl-C ends it").await;
    let env = place.env();
    assert!(!story.contains(&env.admin_key) && !story.contains(&env.key), "the keys of `.local/env` are not printed");
    let link = story.split_whitespace().find(|word| word.contains("/link/")).unwrap().to_owned();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let open = async |link: &str| browser.get(link).send().await.unwrap();
    let opened = open(&link).await;
    assert_eq!((opened.status().as_u16(), &opened.headers()["cache-control"]), (303, &"no-store".parse().unwrap()));
    let location = opened.headers()["location"].to_str().unwrap().to_owned();
    let key = location.strip_prefix("/#key=").unwrap();
    for used in [&link, &format!("{}/link/unknown", env.url)] {
        let refused = open(used).await;
        assert_eq!(refused.status().as_u16(), 410);
        assert!(refused.text().await.unwrap().contains("make link"));
    }
    let another = place.run(&["link"]).await;
    assert_eq!(open(String::from_utf8(another.stdout).unwrap().trim()).await.status().as_u16(), 303);
    let get = async |path: &str| {
        let asked = reqwest::Client::new().get(format!("{}/api/v1/{path}", env.url)).bearer_auth(key);
        asked.send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(get("me").await["role"], "lead");
    let keys = get("api-keys").await;
    let own = keys["items"].as_array().unwrap().iter().find(|one| key.starts_with(one["prefix"].as_str().unwrap()));
    let text = |field: &str| own.unwrap()[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let minutes = (text("expires_at") - text("created_at")).num_minutes();
    assert!((479..=480).contains(&minutes), "{minutes} minutes");
    up.signal(Signal::SIGINT);
    assert!(up.process.wait().await.unwrap().success());
    let refused = place.run(&["link"]).await;
    assert!(!refused.status.success() && String::from_utf8(refused.stderr).unwrap().contains("make up"));
}
