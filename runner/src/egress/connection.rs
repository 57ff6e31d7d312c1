//! One connection of an agent to the proxy, from its request to its end.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};

use super::{
    address::AddressGuard,
    denial::{DenialReason, DenialReporter, DeniedConnection},
    destination::Destination,
    policy::EgressPolicy,
    refusal::Refusal,
    relay::relay,
    request::{ProxyRequest, read_request},
    totals::EgressCounters,
};

/// How long a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// How long a name may take to resolve.
const RESOLUTION_TIME: Duration = Duration::from_secs(10);
/// How long one address may take to accept.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 4;

/// What all connections of a session share.
#[derive(Debug)]
pub(super) struct ProxyState {
    pub(super) policy: EgressPolicy,
    pub(super) guard: AddressGuard,
    pub(super) idle: Duration,
    pub(super) denials: DenialReporter,
    pub(super) counters: EgressCounters,
}

/// Answers one request, and passes on what follows.
pub(super) async fn serve_connection(state: Arc<ProxyState>, mut agent: UnixStream) {
    let read = timeout(HEAD_TIME, read_request(&mut agent)).await.unwrap_or(Err(Refusal::TooSlow));
    let connected = match read {
        Ok(None) => return,
        Ok(Some(request)) => connect(&state, request).await,
        Err(refusal) => Err(refusal),
    };
    match connected {
        Ok((request, server)) => pass_request(&state, agent, server, request).await,
        Err(refusal) => {
            // An agent that has gone needs no answer.
            let _ = agent.write_all(refusal.to_response().as_bytes()).await;
            let _ = agent.shutdown().await;
        }
    }
}

async fn pass_request(state: &ProxyState, mut agent: UnixStream, mut server: TcpStream, request: ProxyRequest) {
    state.counters.connections.fetch_add(1, Ordering::Relaxed);
    // Small pieces of a stream must not wait for more to send.
    let _ = server.set_nodelay(true);
    if request.is_tunnel && agent.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err() {
        return;
    }
    if server.write_all(&request.first_bytes).await.is_ok() {
        state.counters.sent_bytes.fetch_add(request.first_bytes.len() as u64, Ordering::Relaxed);
        relay(agent, server, state.idle, &state.counters).await;
    }
}

async fn connect(state: &ProxyState, request: ProxyRequest) -> Result<(ProxyRequest, TcpStream), Refusal> {
    let destination = &request.destination;
    if !state.policy.admits(destination) {
        return Err(deny(state, destination, DenialReason::Policy));
    }
    let resolved = resolve(destination).await?;
    // The connection is made to an address that was checked: the name is not resolved again.
    let admitted: Vec<_> = resolved.into_iter().filter(|address| state.guard.admits(address.ip())).collect();
    if admitted.is_empty() {
        return Err(deny(state, destination, DenialReason::Address));
    }
    for address in admitted.into_iter().take(MOST_ADDRESSES) {
        if let Ok(Ok(server)) = timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            return Ok((request, server));
        }
    }
    Err(Refusal::Unreachable(request.destination.to_string()))
}

async fn resolve(destination: &Destination) -> Result<Vec<SocketAddr>, Refusal> {
    let Destination { host, port } = destination;
    let found = timeout(RESOLUTION_TIME, lookup_host((host.as_str(), *port))).await;
    let addresses: Vec<_> = found.ok().and_then(Result::ok).into_iter().flatten().collect();
    if addresses.is_empty() { Err(Refusal::Unresolved(host.clone())) } else { Ok(addresses) }
}

fn deny(state: &ProxyState, destination: &Destination, reason: DenialReason) -> Refusal {
    state.counters.denied.fetch_add(1, Ordering::Relaxed);
    let denied = DeniedConnection::new(destination, reason);
    state.denials.report(&denied);
    Refusal::Denied(denied)
}
