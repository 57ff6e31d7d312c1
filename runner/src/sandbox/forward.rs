//! Forwards connections at a port of 127.0.0.1 to a Unix socket.

use std::{
    fs,
    net::{SocketAddr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// The pause after a connection that could not be accepted, because too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Forwards until it is dropped. With `only_from`, connections of processes of other users are closed: every user of a
/// machine can connect to its loopback.
pub(super) async fn forward_connections(listener: TcpListener, socket: PathBuf, only_from: Option<u32>) {
    let mut connections = JoinSet::new();
    loop {
        // Ended connections are removed as they end, so that the set does not grow.
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((from, peer)) if only_from.is_none_or(|uid| find_connecting_user(peer) == Some(uid)) => {
                    connections.spawn(forward_connection(from, socket.clone()));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward_connection(mut from: TcpStream, socket: PathBuf) {
    // Small pieces of a stream must not wait for more to send.
    let _ = from.set_nodelay(true);
    if let Ok(mut to) = UnixStream::connect(&socket).await {
        let _ = copy_bidirectional(&mut from, &mut to).await;
    }
}

/// The user of the process at the other end of a connection within this machine.
fn find_connecting_user(peer: SocketAddr) -> Option<u32> {
    let SocketAddr::V4(peer) = peer else { return None };
    find_user_of_connection(&fs::read_to_string("/proc/net/tcp").ok()?, peer)
}

/// Searches the kernel's table, in which an address is the number that the machine reads it as.
fn find_user_of_connection(table: &str, local: SocketAddrV4) -> Option<u32> {
    let address = format!("{:08X}:{:04X}", u32::from_ne_bytes(local.ip().octets()), local.port());
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mut users = rows.filter(|row| row.get(1) == Some(&address.as_str())).filter_map(|row| row.get(7)?.parse().ok());
    users.next()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn the_user_of_a_connection_is_the_one_whose_process_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (connected, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let peer = accepted.unwrap().1;
        assert_eq!(find_connecting_user(peer), Some(nix::unistd::geteuid().as_raw()));
        assert_eq!(connected.unwrap().local_addr().unwrap(), peer);
        assert_eq!(find_user_of_connection("", SocketAddrV4::new(Ipv4Addr::LOCALHOST, peer.port())), None);
    }
}
