//! Does an agent keep the protocol? It is given work by a [`Plane`] that fails on purpose, and watched.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use shared::{clock::Clock, external::sign::signature, id::ExternalTaskId};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
    time::sleep,
};

use super::{
    Conformance,
    checks::{Checks, comes},
    plane::{BEAT, LEASE, Plane, Task},
};
use crate::say::say;

/// An agent under test.
struct Trial<'a> {
    asked: &'a Conformance,
    plane: Plane,
    url: String,
    directory: String,
    patience: Duration,
    http: Client,
    checks: Checks,
}

/// Checks an agent; answers the exit code.
pub(super) async fn check(asked: &Conformance) -> Result<u8> {
    let plane = Plane::default();
    let listener = TcpListener::bind(asked.listen).await.context("the control plane cannot listen")?;
    let url = format!("http://{}", listener.local_addr()?);
    let routes = plane.routes();
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await });
    let folder = std::env::temp_dir().join(format!("ioc-conformance-{}", std::process::id()));
    repository(&folder).await?;
    let mut agent = asked.agent.as_deref().map(|command| start(command, &url)).transpose()?;
    if agent.is_none() {
        say(format!("waiting for an agent: IOC_URL={url} IOC_KEY=ioc_test IOC_TENANT=conformance"));
    }
    let mut trial = Trial {
        asked,
        plane,
        url,
        directory: folder.display().to_string(),
        patience: Duration::from_secs(asked.patience),
        http: Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?,
        checks: Checks::default(),
    };
    Box::pin(trial.run(agent.as_mut())).await?;
    if let Some(mut agent) = agent {
        agent.kill().await?;
    }
    tokio::fs::remove_dir_all(&folder).await?;
    Ok(trial.checks.finish())
}

fn start(command: &str, url: &str) -> Result<Child> {
    let mut words = command.split_whitespace();
    let program = words.next().context("the command is empty")?;
    let started = Command::new(program)
        .args(words)
        .env("IOC_URL", url)
        .env("IOC_KEY", "ioc_test")
        .env("IOC_TENANT", "conformance")
        .kill_on_drop(true)
        .spawn();
    started.with_context(|| format!("{program} does not start"))
}

/// A repository to work in.
async fn repository(folder: &Path) -> Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(folder.join("README.md"), "# Conformance\n").await?;
    let identity = ["-c", "user.name=ioc", "-c", "user.email=ioc@localhost"];
    for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "Begin"]] {
        let done = Command::new("git").args(identity).args(arguments).current_dir(folder).status().await?;
        ensure!(done.success(), "git {} failed", arguments[0]);
    }
    Ok(())
}

impl Trial<'_> {
    async fn run(&mut self, agent: Option<&mut Child>) -> Result<()> {
        let plane = self.plane.clone();
        let registered = comes(self.patience, || plane.known().registered.is_some()).await;
        let why = || plane.known().wrong.first().cloned().unwrap_or_else(|| "it did not".to_owned());
        if !self.checks.holds("it registers", registered, why) {
            return Ok(());
        }
        let beats = comes(Duration::from_secs_f64(BEAT * 8.0), || plane.known().beats >= 3).await;
        self.checks
            .holds("it beats its heart as often as it was told", beats, || format!("not 3 times in {} s", BEAT * 8.0));
        if let Some(endpoint) = self.endpoint() {
            Box::pin(self.refuses_what_is_not_signed(&endpoint)).await?;
        }
        Box::pin(self.works()).await?;
        Box::pin(self.obeys()).await?;
        Box::pin(self.drops_what_it_lost()).await?;
        let before = plane.known().beats;
        let lives = comes(Duration::from_secs_f64(BEAT * 8.0), || plane.known().beats > before + 1).await;
        self.checks.holds("it goes on to beat its heart", lives, || "it fell silent".to_owned());
        if let Some(agent) = agent {
            let ended = agent.try_wait()?;
            self.checks.holds("it lives on", ended.is_none(), || format!("it ended: {ended:?}"));
        }
        let mut wrong = plane.known().wrong.clone();
        wrong.extend(plane.known().tasks.values().flat_map(|task| task.wrong.clone()));
        self.checks.holds("all that it sends has the form of the protocol", wrong.is_empty(), || wrong.join("; "));
        Ok(())
    }

    fn endpoint(&self) -> Option<String> {
        self.plane.known().registered.as_ref().and_then(|agent| agent.endpoint_url.clone())
    }

    /// Offers a task, to be claimed or by a push; answers its id.
    async fn offer(&mut self, prompt: &str, change: impl FnOnce(&mut Task)) -> Result<ExternalTaskId> {
        let id = self.plane.offer(&self.url, prompt, &self.directory, change);
        if let Some(endpoint) = self.endpoint() {
            let task = self.described(id);
            let secret = self.plane.known().secret.clone();
            let status = self.push(&format!("{endpoint}/task"), &id.to_string(), &task, &secret, 0).await?;
            self.checks.holds("it takes a task that is pushed", status == 202 || status == 200, || {
                format!("it answers {status}")
            });
        }
        Ok(id)
    }

    fn described(&self, id: ExternalTaskId) -> Value {
        self.plane.known().tasks.get(&id).map(|task| task.described.clone()).unwrap_or_default()
    }

    async fn push(&self, url: &str, id: &str, body: &Value, secret: &str, seconds_ago: i64) -> Result<u16> {
        let body = serde_json::to_vec(body)?;
        let at = Clock::System.now().timestamp() - seconds_ago;
        let signed = signature(secret, id, at, &body).unwrap_or_default();
        let request = self.http.post(url).header("content-type", "application/json").header("webhook-id", id);
        let request = request.header("webhook-timestamp", at).header("webhook-signature", signed).body(body);
        Ok(request.send().await.map_or(0, |answer| answer.status().as_u16()))
    }

    fn of<T, R: Fn(&Task) -> T>(&self, id: ExternalTaskId, read: R) -> impl Fn() -> Option<T> + use<T, R> {
        let plane = self.plane.clone();
        move || plane.known().tasks.get(&id).map(&read)
    }

    async fn refuses_what_is_not_signed(&mut self, endpoint: &str) -> Result<()> {
        let id = self.plane.offer(&self.url, &self.asked.prompt, &self.directory, |task| task.claimed = true);
        let (task, url, name) = (self.described(id), format!("{endpoint}/task"), id.to_string());
        let (other, own) = (shared::external::sign::new_secret(), self.plane.known().secret.clone());
        let is_refusal = |status: u16| StatusCode::from_u16(status).is_ok_and(|status| status.is_client_error());
        let forged = self.push(&url, &name, &task, &other, 0).await?;
        self.checks
            .holds("it refuses a push with another signature", is_refusal(forged), || format!("it answers {forged}"));
        let old = self.push(&url, &name, &task, &own, 3600).await?;
        self.checks
            .holds("it refuses a push that was signed an hour ago", is_refusal(old), || format!("it answers {old}"));
        sleep(Duration::from_secs(1)).await;
        let reports = self.of(id, |task| task.reports.len() + task.results.len())();
        self.checks.holds("it does not work on what it refused", reports == Some(0), || "it reports of it".to_owned());
        Ok(())
    }

    /// One task from its beginning to its end, with a report and a result that we seem to have lost.
    async fn works(&mut self) -> Result<()> {
        let prompt = self.asked.prompt.clone();
        let id = self.offer(&prompt, |task| (task.fail_reports, task.fail_results) = (1, 1)).await?;
        if let Some(endpoint) = self.endpoint() {
            let (task, secret) = (self.described(id), self.plane.known().secret.clone());
            let status = self.push(&format!("{endpoint}/task"), &id.to_string(), &task, &secret, 0).await?;
            self.checks.holds("it takes the same push again", status == 202 || status == 200, || {
                format!("it answers {status}")
            });
        } else {
            let claimed = self.of(id, |task| task.claimed);
            let claimed = comes(self.patience, || claimed() == Some(true)).await;
            self.checks.holds("it claims its work", claimed, || "it did not".to_owned());
        }
        let results = self.of(id, |task| task.results.len());
        let done = comes(self.patience, || results() > Some(1)).await;
        let why = || match results() {
            Some(1) => "its result was answered with 500 and it did not send it again".to_owned(),
            _ => "there is no result; a report was answered with 500 once".to_owned(),
        };
        self.checks.holds("it finishes in spite of answers of 500", done, why);
        let sent = self.of(id, |task| task.results.clone())().unwrap_or_default();
        let same = sent.windows(2).all(|pair| pair[0] == pair[1]);
        self.checks.holds("it repeats its result unchanged", done && same, || {
            "the second differs, or there is none".to_owned()
        });
        let failed = sent.first().is_some_and(|result| result["status"] == "failed");
        let message = || sent.first().map(|result| result["error_message"].to_string()).unwrap_or_default();
        self.checks.holds("it completes what it was asked", done && !failed, message);
        let numbers: Vec<_> =
            self.of(id, |task| task.reports.iter().map(|(seq, _)| *seq).collect())().unwrap_or_default();
        let ordered = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
        self.checks.holds("its reports come in the order of their numbers", ordered, || format!("{numbers:?}"));
        sleep(Duration::from_millis(500)).await;
        self.checks.holds("it works once on a task", results() == Some(2), || format!("{:?} results came", results()));
        Ok(())
    }

    /// A long task, which must be renewed, and is called off.
    async fn obeys(&mut self) -> Result<()> {
        let prompt = self.asked.long_prompt.clone();
        let id = self.offer(&prompt, |_| {}).await?;
        let reports = self.of(id, |task| task.reports.len());
        let began = comes(self.patience, || reports() > Some(0)).await;
        self.checks.holds("it reports of a long task", began, || "it did not".to_owned());
        let before = reports();
        let renewed = comes(LEASE, || reports() > before).await;
        self.checks.holds("it renews its lease", renewed, || format!("no report came for {} s", LEASE.as_secs()));
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.cancel = true;
        }
        let results = self.of(id, |task| task.results.len());
        let ended = comes(self.patience / 2, || results() > Some(0)).await;
        self.checks.holds("it ends a task that is called off, and says so", ended, || "no result came".to_owned());
        Ok(())
    }

    /// A long task that went to another: every report of it is refused.
    async fn drops_what_it_lost(&mut self) -> Result<()> {
        let prompt = self.asked.long_prompt.clone();
        let id = self.offer(&prompt, |_| {}).await?;
        let reports = self.of(id, |task| task.reports.len());
        comes(self.patience, || reports() > Some(0)).await;
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.lost = true;
        }
        let next = self.offer(&self.asked.prompt.clone(), |_| {}).await?;
        let results = self.of(next, |task| task.results.len());
        let free = comes(self.patience / 2, || results() > Some(0)).await;
        self.checks
            .holds("it drops a task that it lost, and does the next", free, || "the next was not done".to_owned());
        Ok(())
    }
}
