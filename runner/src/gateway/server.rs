//! Starts and ends the gateway of a session.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::{net::UnixListener, sync::mpsc::UnboundedSender, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    calls::{SharedState, answer_request},
    events::GatewayEvent,
    listener::BoundedListener,
    provider::Provider,
};

const CONNECT_TIME: Duration = Duration::from_secs(15);
/// How long a provider may be silent: reasoning models think for minutes before the first byte.
const SILENCE_TIME: Duration = Duration::from_mins(15);

/// A gateway could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the model gateway cannot listen on {path}: {source}")]
pub struct GatewayError {
    /// The socket.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

impl GatewayError {
    /// The stable code of the failure, of category `internal`.
    pub fn code(&self) -> &'static str {
        "GATEWAY_START_FAILED"
    }
}

/// What a gateway of one session needs.
#[derive(Debug)]
pub struct GatewaySpec {
    /// The path of the socket, at most 107 bytes, in a folder that only the runner can read.
    pub socket: PathBuf,
    /// The providers, in the order in which they are tried.
    pub providers: Vec<Provider>,
    /// The client for all gateways of a runner ([`build_upstream_client`]).
    pub client: reqwest::Client,
    /// Where calls and failures are reported.
    pub events: UnboundedSender<GatewayEvent>,
    /// What the socket serves besides models, such as the tools of the session.
    pub routes: Router,
}

/// A running gateway. Dropping it ends its connections, also those in the middle of an answer, and removes the socket.
#[derive(Debug)]
pub struct Gateway {
    socket: PathBuf,
    stop: CancellationToken,
    _serving: JoinSet<()>,
}

impl Gateway {
    /// Listens on the socket, which only the runner's user can use until it is granted to another.
    pub fn start(spec: GatewaySpec) -> Result<Self, GatewayError> {
        let GatewaySpec { socket, providers, client, events, routes } = spec;
        let failed = |source| GatewayError { path: socket.clone(), source };
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let stop = CancellationToken::new();
        let state = Arc::new(SharedState::new(providers, client, events));
        let router = Router::new().fallback(answer_request).with_state(state).merge(routes);
        let mut serving = JoinSet::new();
        let listener = BoundedListener::new(listener, stop.clone());
        serving.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the model gateway has ended");
            }
        });
        Ok(Self { socket, stop, _serving: serving })
    }

    /// The path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
        // Its folder is removed with the session as well.
        let _ = fs::remove_file(&self.socket);
    }
}

/// The client by which gateways reach providers. It follows no redirect, which could lead the key elsewhere.
pub fn build_upstream_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIME)
        .read_timeout(SILENCE_TIME)
        .build()
}
