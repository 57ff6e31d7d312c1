//! `ioc agent conformance`: does an agent keep the External Agent Protocol, or a server? Says what fails, and why.

mod agent;
mod checks;
mod plane;
mod server;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

/// Look after agents
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that an agent, or a server, keeps the External Agent Protocol; fails when it does not
    Conformance(Conformance),
}

/// Against an agent: a control plane of its own is served, in which calls fail on purpose. The agent is started with
/// `IOC_URL`, `IOC_KEY` and `IOC_TENANT` in its environment. Against a server: it is called as an agent would call it.
#[derive(Args, Debug)]
pub(crate) struct Conformance {
    /// The command that starts the agent, such as `python3 examples/pull_agent.py`; without it, one that is started by
    /// hand is waited for
    #[arg(long, conflicts_with = "server")]
    agent: Option<String>,
    /// Where the control plane for the agent listens
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What the agent is asked to do
    #[arg(long, default_value = "Add the file CONFORMANCE.md: It keeps the protocol.")]
    prompt: String,
    /// A piece of work that takes the agent 10 seconds or more, to be called off
    #[arg(long, default_value = "Wait 30 seconds")]
    long_prompt: String,
    /// How long the agent may take for a step, in seconds
    #[arg(long, default_value_t = 20)]
    patience: u64,
    /// Check the server at `IOC_URL` instead
    #[arg(long)]
    server: bool,
    /// The server's address
    #[arg(long, env = "IOC_URL")]
    url: Option<String>,
    /// A key of the role member or more
    #[arg(long, env = "IOC_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The tenant of the key
    #[arg(long, env = "IOC_TENANT")]
    tenant: Option<String>,
}

/// Runs the command; answers the exit code.
pub async fn run(arguments: Arguments) -> Result<u8> {
    let Command::Conformance(conformance) = arguments.command;
    if !conformance.server {
        return Box::pin(agent::check(&conformance)).await;
    }
    let given = |value: Option<String>, name: &str| value.with_context(|| format!("{name} is not set"));
    let url = given(conformance.url, "IOC_URL")?;
    let (key, tenant) = (given(conformance.key, "IOC_KEY")?, given(conformance.tenant, "IOC_TENANT")?);
    Box::pin(server::check(&url, &key, &tenant)).await
}
