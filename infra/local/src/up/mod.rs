//! `ioc up`: the whole product on this machine, until it is stopped.

mod host;
mod instance_lock;
mod link;
mod running;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use running::Running;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{console::print_line, dashboard::Dashboard, demo, env_file::EnvFile, log, paths};

/// The settings of `ioc up`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The port of the API
    #[arg(long, env = "IOC_PORT", default_value_t = 8000)]
    port: u16,
    /// A Postgres to use instead of a private one
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A Redis or Valkey server to use instead of a private one
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// The model where a session names none, as provider/model; `scripted` for the scripted one despite keys
    #[arg(long, env = "IOC_MODEL")]
    model: Option<String>,
    /// The folders that a session's workspace.directory may lie in, separated by colons
    #[arg(long, env = "RUNNER_FOLDERS", default_value_os_t = own_folder())]
    directories: OsString,
    /// Where the data, the keys and the logs are
    #[arg(long, default_value_os_t = paths::local())]
    local: PathBuf,
    /// The folder of the dashboard's build
    #[arg(long, default_value_os_t = paths::dashboard())]
    dashboard: PathBuf,
    /// Start no runner: sessions wait for one that is started elsewhere
    #[arg(long)]
    no_runner: bool,
    /// Skip the demo
    #[arg(long)]
    no_demo: bool,
}

/// The user's home folder, as the default.
fn own_folder() -> OsString {
    std::env::home_dir().unwrap_or_default().into()
}

/// Runs until Ctrl-C, SIGTERM or SIGHUP; ends every server that it started.
pub async fn run(arguments: Arguments) -> Result<()> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else { anyhow::bail!("signals cannot be handled") };
    let end = CancellationToken::new();
    let mut life = std::pin::pin!(live(arguments, end.clone()));
    loop {
        tokio::select! {
            ended = &mut life => return ended,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        if end.is_cancelled() {
            // A second signal ends at once. The supervisors end the servers after this process.
            return Ok(());
        }
        print_line("\nioc: ending ...");
        end.cancel();
    }
}

async fn live(mut arguments: Arguments, end: CancellationToken) -> Result<()> {
    arguments.local = std::path::absolute(&arguments.local)?;
    let local = &arguments.local;
    fs::create_dir_all(local).with_context(|| format!("{} cannot be created", local.display()))?;
    let _claim = instance_lock::acquire(local)?;
    paths::private(&local.join("log"))?;
    log::start(local)?;
    let listener = instance_lock::bind_port(arguments.port).await?;
    // Interrupted during the start: the servers that were started are dropped, and end with it.
    let Some(running) = end.run_until_cancelled(Box::pin(Running::start(&arguments))).await else {
        return Ok(());
    };
    let running = running.map_err(|error| instance_lock::explain(error, local))?;
    let served = work(&arguments, listener, &running, &end).await;
    running.stop().await;
    served.map_err(|error| instance_lock::explain(error, local))
}

/// Serves until the end, and shows the demo meanwhile.
async fn work(arguments: &Arguments, listener: TcpListener, running: &Running, end: &CancellationToken) -> Result<()> {
    let local = &arguments.local;
    let url = format!("http://{}", listener.local_addr()?);
    let host = host::open(&running.places(local), &url).await.context("the API cannot be prepared")?;
    let file = local.join("env");
    let env =
        host.identity(EnvFile::read(&file).unwrap_or_default()).await.context("the demo tenant cannot be created")?;
    let env = EnvFile { url, model: running.model_kind().to_owned(), ..env };
    env.write(&file)?;
    print_line(format!(
        "ioc: the API is on {0}, its documentation on {0}/docs; keys are in {1}",
        env.url,
        file.display()
    ));
    let links = host.link_route(&env, local)?;
    let link = links.create_link(&env.url)?;
    let dashboard = Dashboard::built(&arguments.dashboard).map(|built| (built, links));
    let is_built = dashboard.is_some();
    let shown = async {
        // The API is served meanwhile.
        running.start_runner(arguments, &env).await?;
        if !arguments.no_demo && !arguments.no_runner {
            introduce(local, &env).await;
        }
        print_link(is_built, &link);
        print_line("\nioc: running. Ctrl-C ends it; the data stays under .local for the next start.");
        std::future::pending::<Result<()>>().await
    };
    let served = CancellationToken::new();
    tokio::select! {
        served = host.serve(listener, dashboard, served.clone()) => served,
        shown = shown => shown,
        () = mind_until_end(running, end, &served) => Ok(()),
    }
}

/// Restarts what ends by itself until the end, and then ends the runner before the API: it hands its work back as long
/// as it is answered. Never returns.
async fn mind_until_end(running: &Running, end: &CancellationToken, served: &CancellationToken) {
    end.run_until_cancelled(running.mind()).await;
    running.stop_runner().await;
    served.cancel();
    std::future::pending::<()>().await;
}

/// Prints the link that opens the dashboard signed in.
fn print_link(is_built: bool, link: &str) {
    if is_built {
        print_line(format!("\nioc: the dashboard is on {link}"));
        print_line("ioc: the link signs in once; `make link` prints another");
    } else {
        print_line("\nioc: the dashboard is not built: `make dashboard` builds it");
    }
}

/// Shows the demo at the first start, and what to try next.
async fn introduce(local: &Path, env: &EnvFile) {
    let shown = local.join("demo/shown");
    if shown.exists() {
        print_line("ioc: the demo ran at an earlier start; `make demo` runs it again and shows what to try next");
        return;
    }
    match demo::show(local, env).await {
        Ok(()) => _ = fs::write(shown, ""),
        Err(error) => print_line(format!("\nioc: the demo failed: {error:#}")),
    }
}
