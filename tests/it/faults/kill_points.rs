//! A fuse between a process and everything that it talks to: it counts what the process asks of others, and at a given
//! count the process is killed, or frozen, when that was carried out and before it can hear of it.
//!
//! The state in a process's memory dies with it, so these are all the points at which a kill makes a difference.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Whose fuse it is, at which count it blows, and with which signal.
struct Armed {
    process: Pid,
    at: u64,
    signal: Signal,
}

/// The fuse. It stays as it is until armed.
#[derive(Default)]
pub(crate) struct Fuse {
    armed: Mutex<Option<Armed>>,
    count: AtomicU64,
    blown: AtomicBool,
}

impl Fuse {
    pub(crate) fn arm(&self, process: u32, at: u64, signal: Signal) {
        let process = Pid::from_raw(process.cast_signed());
        self.count.store(0, Ordering::SeqCst);
        self.blown.store(false, Ordering::SeqCst);
        *self.armed.lock().unwrap() = Some(Armed { process, at, signal });
        self.pass();
    }

    pub(crate) fn disarm(&self) {
        *self.armed.lock().unwrap() = None;
    }

    pub(crate) fn blown(&self) -> bool {
        self.blown.load(Ordering::SeqCst)
    }

    /// Counts one; says whether the fuse blows at this one, which `blow` must then see to.
    fn is_last(&self) -> bool {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        self.armed.lock().unwrap().as_ref().is_some_and(|armed| armed.at == count)
    }

    fn blow(&self) {
        if let Some(armed) = self.armed.lock().unwrap().take() {
            kill(armed.process, armed.signal).unwrap();
            self.blown.store(true, Ordering::SeqCst);
        }
    }

    /// Something that the process asked for was carried out.
    pub(crate) fn pass(&self) {
        if self.is_last() {
            self.blow();
        }
    }
}

/// A server's address that goes through a fuse.
pub(crate) struct Wire {
    pub(crate) addr: SocketAddr,
    _serving: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn to(target: SocketAddr, fuse: Arc<Fuse>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let fuse = fuse.clone();
                open.spawn(async move { _ = carry(client, target, &fuse).await });
            }
        });
        Self { addr, _serving: serving }
    }
}

/// Carries bytes both ways until either side ends.
async fn carry(mut client: TcpStream, target: SocketAddr, fuse: &Fuse) -> std::io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                let last = fuse.is_last();
                server.write_all(&up[..length]).await?;
                if last {
                    let answer = whole_answer(&mut server).await?;
                    fuse.blow();
                    client.write_all(&answer).await?;
                }
            }
            read = server.read(&mut down) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                client.write_all(&down[..length]).await?;
            }
        }
    }
}

/// Reads the response until the server is silent: by then it has executed the request.
async fn whole_answer(server: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut answer, mut part) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(read) = timeout(Duration::from_millis(25), server.read(&mut part)).await {
        let length = read?;
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&part[..length]);
    }
    Ok(answer)
}

/// A URL with another host and port.
pub(crate) fn through(url: &str, wire: &Wire) -> String {
    let mut url: reqwest::Url = url.parse().unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(wire.addr.port())).unwrap();
    url.to_string()
}

/// Where a URL leads.
pub(crate) async fn address(url: &str, port: u16) -> SocketAddr {
    let url: reqwest::Url = url.parse().unwrap();
    let place = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(port));
    tokio::net::lookup_host(place).await.unwrap().next().unwrap()
}
