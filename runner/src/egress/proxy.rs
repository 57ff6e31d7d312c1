//! Starts and ends the proxy of a session.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc::UnboundedSender},
    task::JoinSet,
};

use super::{
    address::AddressGuard,
    connection::{ProxyState, serve_connection},
    denial::{DenialReporter, DeniedConnection},
    policy::EgressPolicy,
    refusal::Refusal,
    totals::{EgressCounters, EgressTotals},
};

/// Each connection takes two of the runner's file descriptors, of which an agent could otherwise take all.
const MOST_CONNECTIONS: usize = 64;
/// How long a connection may be silent: a package index may take a while, a forgotten connection stays for ever.
const IDLE_TIME: Duration = Duration::from_mins(10);
/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// A proxy could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the proxy to the network cannot listen on {path}: {source}")]
pub struct EgressError {
    /// The socket.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

impl EgressError {
    /// The stable code of the failure, of category `internal`.
    pub fn code(&self) -> &'static str {
        "EGRESS_START_FAILED"
    }
}

/// What the proxy of one session needs.
#[derive(Debug)]
pub struct EgressSpec {
    /// The path of the socket, at most 107 bytes, in a folder that only the runner can read.
    pub socket: PathBuf,
    /// What the agent may reach.
    pub policy: EgressPolicy,
    /// Which addresses may be reached at all.
    pub guard: AddressGuard,
    /// Where refusals are reported: each host once, and at most 100 hosts.
    pub denials: UnboundedSender<DeniedConnection>,
}

/// A running proxy. Dropping it ends its connections and removes the socket.
#[derive(Debug)]
pub struct EgressProxy {
    socket: PathBuf,
    state: Arc<ProxyState>,
    _serving: JoinSet<()>,
}

impl EgressProxy {
    /// Listens on the socket, which only the runner's user can use until it is granted to another.
    pub fn start(spec: EgressSpec) -> Result<Self, EgressError> {
        let EgressSpec { socket, policy, guard, denials } = spec;
        let failed = |source| EgressError { path: socket.clone(), source };
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let state = Arc::new(ProxyState {
            policy,
            guard,
            idle: IDLE_TIME,
            denials: DenialReporter::new(denials),
            counters: EgressCounters::default(),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept_connections(listener, Arc::clone(&state)));
        Ok(Self { socket, state, _serving: serving })
    }

    /// The path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the connections came to so far.
    pub fn totals(&self) -> EgressTotals {
        self.state.counters.read()
    }
}

impl Drop for EgressProxy {
    fn drop(&mut self) {
        // Its folder is removed with the session as well.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Accepts until it is dropped, and ends all connections then.
async fn accept_connections(listener: UnixListener, state: Arc<ProxyState>) {
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Ended connections are removed as they end, so that the set does not grow.
        tokio::select! {
            accepted = listener.accept() => match (accepted, Arc::clone(&permits).try_acquire_owned()) {
                (Ok((agent, _)), Ok(permit)) => {
                    let state = Arc::clone(&state);
                    connections.spawn(async move {
                        serve_connection(state, agent).await;
                        drop(permit);
                    });
                }
                (Ok((agent, _)), Err(_)) => refuse_at_once(&agent),
                (Err(_), _) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The buffer of a new connection is empty, so that this does not wait.
fn refuse_at_once(agent: &UnixStream) {
    let _ = agent.try_write(Refusal::TooMany.to_response().as_bytes());
}
