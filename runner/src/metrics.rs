//! `/healthz` and `/metrics` for whoever watches the runner, on loopback only: they need no credential.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use tokio::net::TcpListener;

use crate::status::{RunnerFigures, RunnerStatus};

/// After how long without an answer of the control plane the runner counts as unhealthy.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// Opens the address, which must be of loopback.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    ensure!(address.ip().is_loopback(), "the metrics address {address} is not of this machine alone: use 127.0.0.1");
    TcpListener::bind(address).await.with_context(|| format!("{address} cannot be opened for metrics"))
}

/// Serves the figures of a runner until it is dropped.
pub async fn serve(listener: TcpListener, status: Arc<RunnerStatus>) -> std::io::Result<()> {
    let routes = Router::new().route("/healthz", get(health)).route("/metrics", get(metrics)).with_state(status);
    axum::serve(listener, routes).await
}

async fn health(State(status): State<Arc<RunnerStatus>>) -> impl IntoResponse {
    let silence = status.figures().silence;
    if silence < LONGEST_SILENCE {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let text = format!("the control plane has not answered for {} s\n", silence.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

async fn metrics(State(status): State<Arc<RunnerStatus>>) -> impl IntoResponse {
    let text = render_metrics(&status.figures(), read_resident_bytes());
    ([("content-type", "text/plain; version=0.0.4")], text)
}

/// The figures in the text format of Prometheus.
fn render_metrics(figures: &RunnerFigures, resident_bytes: Option<u64>) -> String {
    let mut text = String::new();
    let mut add = |name: &str, kind: &str, about: &str, value: &dyn std::fmt::Display| {
        // Writing into a text does not fail.
        let _ = writeln!(
            text,
            "# HELP ioc_runner_{name} {about}\n# TYPE ioc_runner_{name} {kind}\nioc_runner_{name} {value}"
        );
    };
    add("slots", "gauge", "How many sessions the runner works on at once.", &figures.slots);
    add("busy", "gauge", "How many sessions it works on now.", &figures.busy);
    add("draining", "gauge", "Whether it takes no new work.", &u8::from(figures.is_draining));
    add("claims_total", "counter", "Tasks that it claimed since its start.", &figures.claims);
    add("failures_total", "counter", "Calls to the control plane that failed since its start.", &figures.failures);
    add("uptime_seconds", "gauge", "Seconds since its start.", &figures.uptime.as_secs());
    add("silence_seconds", "gauge", "Seconds since the control plane last answered.", &figures.silence.as_secs());
    if let Some(bytes) = resident_bytes {
        add("resident_memory_bytes", "gauge", "Memory of the runner itself, without its sandboxes.", &bytes);
    }
    text
}

/// The resident memory of this process in bytes.
fn read_resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_a_type_and_one_value() {
        let status = RunnerStatus::new(4);
        let _task = status.begin_task("one");
        status.record_failure();
        let text = render_metrics(&status.figures(), read_resident_bytes());
        for line in
            ["ioc_runner_slots 4", "ioc_runner_busy 1", "ioc_runner_claims_total 1", "ioc_runner_failures_total 1"]
        {
            assert!(text.lines().any(|one| one == line), "{line} is missing in {text}");
        }
        let values = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((values, text.matches("# TYPE ").count()), (8, 8));
    }

    #[tokio::test]
    async fn only_an_address_of_loopback_is_opened() {
        listen("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(RunnerStatus::new(2));
        let asked = async {
            let get = async |path: &str| reqwest::get(format!("http://{address}{path}")).await.unwrap();
            assert_eq!(get("/healthz").await.status(), 200);
            assert!(get("/metrics").await.text().await.unwrap().contains("ioc_runner_slots 2"));
        };
        tokio::select! {
            served = serve(listener, status) => panic!("it ended: {served:?}"),
            () = asked => {}
        }
    }
}
