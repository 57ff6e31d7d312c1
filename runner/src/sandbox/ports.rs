//! The ports at which an agent reaches its runner.

use std::path::Path;

use tokio::{net::TcpListener, task::JoinSet};

use super::{error::SandboxError, forward::forward_connections, method::IsolationMethod};

/// The ports in a sandbox, which has a loopback of its own.
const GATEWAY_PORT: u16 = 4100;
const EGRESS_PORT: u16 = 4101;

/// The ports of one session. Without a sandbox they are forwarded until this is dropped.
#[derive(Debug)]
pub struct SessionPorts {
    /// The model gateway.
    pub gateway: u16,
    /// The proxy to the network.
    pub egress: u16,
    _forwarding: JoinSet<()>,
}

impl SessionPorts {
    /// In a sandbox the ports are the same for every session, and [`run_inside`](super::run_inside) forwards them.
    /// Without one they are free ports of the machine, which only processes of the agent's user can use.
    pub async fn open(method: &IsolationMethod, gateway: &Path, egress: &Path) -> Result<Self, SandboxError> {
        let mut forwarding = JoinSet::new();
        if let IsolationMethod::Sandbox(_) = method {
            return Ok(Self { gateway: GATEWAY_PORT, egress: EGRESS_PORT, _forwarding: forwarding });
        }
        let user = method.agent_user().map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid);
        let mut ports = [0; 2];
        for (port, socket) in ports.iter_mut().zip([gateway, egress]) {
            let opened = TcpListener::bind(("127.0.0.1", 0)).await;
            let listener = opened.map_err(SandboxError::of_start("opening a port of the loopback"))?;
            let address = listener.local_addr();
            *port = address.map_err(SandboxError::of_start("reading a port of the loopback"))?.port();
            forwarding.spawn(forward_connections(listener, socket.to_path_buf(), Some(user)));
        }
        let [gateway, egress] = ports;
        Ok(Self { gateway, egress, _forwarding: forwarding })
    }
}
