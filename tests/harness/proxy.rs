//! A way to a server that can be made to hang: connections stay open, and nothing comes through any more.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How Postgres marks a warning: the field `S` of a notice, which holds its severity.
const WARNING: &[u8] = b"SWARNING\0";

/// Forwards to a server until it is stalled; ends when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    warnings: Arc<AtomicUsize>,
    flows: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A way to the server whose URL this is.
    pub async fn to(url: &str) -> Self {
        let rest = url.split_once("://").expect("a URL").1;
        let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let target = rest.split(['/', '?']).next().expect("a host").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (flows, flowing) = watch::channel(true);
        let warnings = Arc::new(AtomicUsize::new(0));
        let counted = warnings.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, target.clone(), flowing.clone(), counted.clone()));
            }
        });
        Self { address, warnings, flows, _tasks: tasks }
    }

    /// The URL of the server, by this way.
    pub fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let path = place.find(['/', '?']).map_or("", |at| &place[at..]);
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        format!("{scheme}://{user}{}{path}", self.address)
    }

    /// The number of warnings that the server, a Postgres, has sent.
    pub fn warnings(&self) -> usize {
        self.warnings.load(Ordering::Relaxed)
    }

    /// From now on nothing comes through.
    pub fn stall(&self) {
        self.flows.send_replace(false);
    }

    /// It flows again, with what was held back.
    pub fn flow(&self) {
        self.flows.send_replace(true);
    }
}

async fn forward(client: TcpStream, target: String, flowing: watch::Receiver<bool>, warnings: Arc<AtomicUsize>) {
    let mut held = flowing.clone();
    if held.wait_for(|flows| *flows).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut tail = Vec::new();
    tokio::join!(
        pump(from_client, to_server, flowing.clone(), |_| {}),
        pump(from_server, to_client, flowing, |read| {
            // One that is cut by the end of a read is found with the next.
            tail.extend_from_slice(read);
            warnings
                .fetch_add(tail.windows(WARNING.len()).filter(|bytes| *bytes == WARNING).count(), Ordering::Relaxed);
            tail.drain(..tail.len().saturating_sub(WARNING.len() - 1));
        })
    );
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flowing: watch::Receiver<bool>,
    mut see: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        see(&buffer[..read]);
        if flowing.wait_for(|flows| *flows).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
