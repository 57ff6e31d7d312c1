//! Checks that an agent conforms to the protocol: a [`Plane`] that fails on purpose assigns tasks to it and observes
//! it.

mod dialogue;
mod restart;
mod work;

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use shared::{
    agents::eap::server::sign::sign_body,
    kernel::{clock::Clock, id::ExternalTaskId},
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
    time::sleep,
};

use super::{
    Conformance,
    checks::{Checks, comes},
    plane::{HEARTBEAT_INTERVAL, Plane, Task},
    workspace::Workspace,
};
use crate::console::print_line;

/// An agent under test.
struct Trial<'a> {
    asked: &'a Conformance,
    plane: Plane,
    url: String,
    workspace: Workspace,
    /// The agent's process, if this command started it.
    process: Option<Child>,
    patience: Duration,
    http: Client,
    checks: Checks,
}

/// Checks an agent and returns the exit code.
pub(super) async fn check(asked: &Conformance) -> Result<u8> {
    let plane = Plane::default();
    let listener = TcpListener::bind(asked.listen).await.context("the control plane cannot listen")?;
    let url = format!("http://{}", listener.local_addr()?);
    let routes = plane.routes();
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await });
    let folder = std::env::temp_dir().join(format!("ioc-conformance-{}", std::process::id()));
    let workspace = Workspace::create(folder.join("workspace"), "README.md", "# Conformance\n").await?;
    let process = asked.agent.as_deref().map(|command| start(command, &url)).transpose()?;
    if process.is_none() {
        print_line(format!("waiting for an agent: IOC_URL={url} IOC_KEY=ioc_test IOC_TENANT=conformance"));
    }
    let mut trial = Trial {
        asked,
        plane,
        url,
        workspace,
        process,
        patience: Duration::from_secs(asked.patience),
        http: Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?,
        checks: Checks::default(),
    };
    let checked = Box::pin(trial.run()).await;
    if let Some(process) = &mut trial.process {
        process.kill().await?;
    }
    tokio::fs::remove_dir_all(&folder).await?;
    checked?;
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

impl Trial<'_> {
    async fn run(&mut self) -> Result<()> {
        if !Box::pin(self.appears()).await? {
            return Ok(());
        }
        Box::pin(self.works()).await?;
        Box::pin(self.works_in_the_named_workspace()).await?;
        Box::pin(self.continues_earlier_work()).await?;
        Box::pin(self.asks()).await?;
        Box::pin(self.obeys()).await?;
        Box::pin(self.drops_what_it_lost()).await?;
        Box::pin(self.returns_after_a_restart()).await?;
        Box::pin(self.stays()).await
    }

    /// The agent registers, sends heartbeats, and refuses pushes that are not signed. False: it never registered.
    async fn appears(&mut self) -> Result<bool> {
        let plane = self.plane.clone();
        let registered = comes(self.patience, || plane.known().registered.is_some()).await;
        let why = || plane.known().wrong.first().cloned().unwrap_or_else(|| "it did not".to_owned());
        if !self.checks.holds("it registers", registered, why) {
            return Ok(false);
        }
        let heartbeats =
            comes(Duration::from_secs_f64(HEARTBEAT_INTERVAL * 8.0), || plane.known().heartbeats >= 3).await;
        self.checks.holds("it sends heartbeats at the requested interval", heartbeats, || {
            format!("not 3 times in {} s", HEARTBEAT_INTERVAL * 8.0)
        });
        if let Some(endpoint) = self.endpoint() {
            Box::pin(self.refuses_what_is_not_signed(&endpoint)).await?;
        }
        Ok(true)
    }

    /// After all tasks the agent still runs, and no message violated the protocol.
    async fn stays(&mut self) -> Result<()> {
        let plane = self.plane.clone();
        let before = plane.known().heartbeats;
        let lives =
            comes(Duration::from_secs_f64(HEARTBEAT_INTERVAL * 8.0), || plane.known().heartbeats > before + 1).await;
        self.checks.holds("it continues to send heartbeats", lives, || "it stopped sending heartbeats".to_owned());
        if let Some(process) = &mut self.process {
            let ended = process.try_wait()?;
            self.checks.holds("it keeps running", ended.is_none(), || format!("it ended: {ended:?}"));
        }
        let mut wrong = plane.known().wrong.clone();
        wrong.extend(plane.known().tasks.values().flat_map(|task| task.wrong.clone()));
        self.checks.holds("every message conforms to the protocol", wrong.is_empty(), || wrong.join("; "));
        Ok(())
    }

    fn endpoint(&self) -> Option<String> {
        self.plane.known().registered.as_ref().and_then(|agent| agent.endpoint_url.clone())
    }

    /// Offers a task, for a claim or by a push, and returns its id.
    async fn offer(&mut self, prompt: &str, change: impl FnOnce(&mut Task)) -> Result<ExternalTaskId> {
        let id = self.plane.offer(&self.url, prompt, &self.workspace.directory(), change);
        self.deliver("it accepts a pushed task", id).await?;
        Ok(id)
    }

    /// Pushes a task to an agent with an endpoint. An agent that pulls finds it by itself.
    async fn deliver(&mut self, name: &str, id: ExternalTaskId) -> Result<()> {
        let Some(endpoint) = self.endpoint() else { return Ok(()) };
        let (task, secret) = (self.described(id), self.plane.known().secret.clone());
        let status = self.push(&format!("{endpoint}/task"), &id.to_string(), &task, &secret, 0).await?;
        self.checks.holds(name, status == 202 || status == 200, || format!("it answers {status}"));
        Ok(())
    }

    /// Waits for the first result of a task.
    async fn first_result(&self, id: ExternalTaskId) -> Option<Value> {
        let results = self.of(id, |task| task.results.first().cloned());
        comes(self.patience, || results().flatten().is_some()).await;
        results().flatten()
    }

    fn described(&self, id: ExternalTaskId) -> Value {
        self.plane.known().tasks.get(&id).map(|task| task.described.clone()).unwrap_or_default()
    }

    async fn push(&self, url: &str, id: &str, body: &Value, secret: &str, seconds_ago: i64) -> Result<u16> {
        let body = serde_json::to_vec(body)?;
        let at = Clock::System.now().timestamp() - seconds_ago;
        let signed = sign_body(secret, id, at, &body).unwrap_or_default();
        let request = self.http.post(url).header("content-type", "application/json").header("webhook-id", id);
        let request = request.header("webhook-timestamp", at).header("webhook-signature", signed).body(body);
        Ok(request.send().await.map_or(0, |answer| answer.status().as_u16()))
    }

    fn of<T, R: Fn(&Task) -> T>(&self, id: ExternalTaskId, read: R) -> impl Fn() -> Option<T> + use<T, R> {
        let plane = self.plane.clone();
        move || plane.known().tasks.get(&id).map(&read)
    }

    async fn refuses_what_is_not_signed(&mut self, endpoint: &str) -> Result<()> {
        let id =
            self.plane.offer(&self.url, &self.asked.prompt, &self.workspace.directory(), |task| task.claimed = true);
        let (task, url, name) = (self.described(id), format!("{endpoint}/task"), id.to_string());
        let (other, own) = (shared::agents::eap::server::sign::new_secret(), self.plane.known().secret.clone());
        let is_refusal = |status: u16| StatusCode::from_u16(status).is_ok_and(|status| status.is_client_error());
        let forged = self.push(&url, &name, &task, &other, 0).await?;
        self.checks
            .holds("it refuses a push with another signature", is_refusal(forged), || format!("it answers {forged}"));
        let old = self.push(&url, &name, &task, &own, 3600).await?;
        self.checks
            .holds("it refuses a push that was signed an hour ago", is_refusal(old), || format!("it answers {old}"));
        sleep(Duration::from_secs(1)).await;
        let reports = self.of(id, |task| task.reports.len() + task.results.len())();
        self.checks.holds("it does not work on a refused task", reports == Some(0), || "it reported on it".to_owned());
        Ok(())
    }
}
