//! The log of this process, written to a file, because the terminal is for people.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::Mutex};

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// Logs to `.local/log/ioc.log` at the level of `RUST_LOG`, by default `info`.
pub(crate) fn start(local: &Path) -> Result<()> {
    let path = local.join("log/ioc.log");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file));
    // A subscriber that was installed before stays.
    _ = log.try_init();
    Ok(())
}
