//! `ioc agent conformance`: checks that an agent, or a server, conforms to the External Agent Protocol.

mod agent;
mod checks;
mod plane;
mod record;
mod server;
mod workspace;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use shared::kernel::id::AgentId;

use self::record::Record;

/// The file that the first prompt asks for.
const DEFAULT_PROMPT_FILE: &str = "CONFORMANCE.md";
const DEFAULT_PROMPT: &str = "Add the file CONFORMANCE.md: It keeps the protocol.";
/// The file that the answer of a person is written to.
const ANSWER_FILE: &str = "ANSWER.md";
const DEFAULT_QUESTION_PROMPT: &str = "Ask the question \"Which colour?\" and write the answer into the file ANSWER.md";

/// Commands for agents
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that an agent, or a server, conforms to the External Agent Protocol; fails if it does not
    Conformance(Conformance),
}

/// For an agent, the command serves a control plane in which calls fail on purpose, and starts the agent with
/// `IOC_URL`, `IOC_KEY` and `IOC_TENANT` in its environment. For a server, the command calls it like an agent.
#[derive(Args, Debug)]
pub(crate) struct Conformance {
    /// The command that starts the agent, such as `python3 examples/pull_agent.py`; without it, the command waits for
    /// an agent that is started by hand
    #[arg(long, conflicts_with = "server")]
    agent: Option<String>,
    /// Where the control plane for the agent listens
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The prompt of the first task
    #[arg(long, default_value = DEFAULT_PROMPT)]
    prompt: String,
    /// A prompt that keeps the agent busy for 10 seconds or more, to be cancelled
    #[arg(long, default_value = "Wait 30 seconds")]
    long_prompt: String,
    /// A prompt that has the agent ask a question and write the answer into the file ANSWER.md
    #[arg(long, default_value = DEFAULT_QUESTION_PROMPT)]
    question_prompt: String,
    /// The agent never asks: skip the checks of questions and answers
    #[arg(long)]
    no_questions: bool,
    /// How long the agent may take for a step, in seconds
    #[arg(long, default_value_t = 20)]
    patience: u64,
    /// The id of the agent at `IOC_URL` whose passed run is recorded there: it lifts `require_conformance`. Needs a key
    /// of the role lead
    #[arg(long, conflicts_with = "server", value_name = "AGENT_ID")]
    record: Option<AgentId>,
    /// Check the server at `IOC_URL` instead
    #[arg(long)]
    server: bool,
    /// The server's address
    #[arg(long, env = "IOC_URL")]
    url: Option<String>,
    /// A key of the role member or more; of the role lead for `--record`
    #[arg(long, env = "IOC_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The tenant of the key
    #[arg(long, env = "IOC_TENANT")]
    tenant: Option<String>,
}

/// Runs the command and returns the exit code.
pub async fn run(arguments: Arguments) -> Result<u8> {
    let Command::Conformance(conformance) = arguments.command;
    if conformance.server {
        let (url, key) = (given(conformance.url.as_deref(), "IOC_URL")?, given(conformance.key.as_deref(), "IOC_KEY")?);
        return Box::pin(server::check(&url, &key, &given(conformance.tenant.as_deref(), "IOC_TENANT")?)).await;
    }
    let Some(agent) = conformance.record else { return Box::pin(agent::check(&conformance)).await };
    let (url, key) = (given(conformance.url.as_deref(), "IOC_URL")?, given(conformance.key.as_deref(), "IOC_KEY")?);
    let record = Record::new(&url, key, conformance.tenant.clone(), agent)?;
    // A run takes a minute: what cannot be recorded is said before it.
    record.check_permission().await?;
    let code = Box::pin(agent::check(&conformance)).await?;
    if code == 0 {
        record.save().await?;
    }
    Ok(code)
}

fn given(value: Option<&str>, name: &str) -> Result<String> {
    value.map(str::to_owned).with_context(|| format!("{name} is not set"))
}
