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

/// How often the table of connections is read for one that must be in it.
const TABLE_READINGS: usize = 5;

/// Forwards until it is dropped. With `only_from`, connections of processes of other users are closed: every user of a
/// machine can connect to its loopback.
pub(super) async fn forward_connections(listener: TcpListener, socket: PathBuf, only_from: Option<u32>) {
    let mut connections = JoinSet::new();
    loop {
        // Ended connections are removed as they end, so that the set does not grow.
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((from, peer)) if only_from.is_none_or(|uid| find_connecting_user(&from, peer) == Some(uid)) => {
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
fn find_connecting_user(from: &TcpStream, peer: SocketAddr) -> Option<u32> {
    let (SocketAddr::V4(client), SocketAddr::V4(server)) = (peer, from.local_addr().ok()?) else { return None };
    // The kernel writes its table in pieces: a row can be left out while others come and go.
    (0..TABLE_READINGS).find_map(|_| {
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        find_user_of_connection(&table, client, server)
    })
}

/// Searches the kernel's table for a connection by both of its ends: the port of a client may also be in rows of
/// connections that it had elsewhere, which belong to nobody any more.
fn find_user_of_connection(table: &str, client: SocketAddrV4, server: SocketAddrV4) -> Option<u32> {
    // An address is the number that the machine reads it as.
    let text = |end: SocketAddrV4| format!("{:08X}:{:04X}", u32::from_ne_bytes(end.ip().octets()), end.port());
    let (client, server) = (text(client), text(server));
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mut found = rows.filter(|row| row.get(1) == Some(&client.as_str()) && row.get(2) == Some(&server.as_str()));
    found.find_map(|row| row.get(7)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn the_user_of_a_connection_is_the_one_whose_process_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (connected, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (from, peer) = accepted.unwrap();
        assert_eq!(find_connecting_user(&from, peer), Some(nix::unistd::geteuid().as_raw()));
        assert_eq!(connected.unwrap().local_addr().unwrap(), peer);
    }

    #[test]
    fn an_earlier_connection_from_the_same_port_is_not_taken_for_this_one() {
        let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let row = |client: u16, server: u16, state: &str, uid: u32| {
            let address = u32::from_ne_bytes([127, 0, 0, 1]);
            format!("1: {address:08X}:{client:04X} {address:08X}:{server:04X} {state} 0:0 0:0 0 {uid} 0 0\n")
        };
        let table = format!("head\n{}{}", row(40_000, 5432, "06", 0), row(40_000, 4100, "01", 65_100));
        assert_eq!(find_user_of_connection(&table, at(40_000), at(4100)), Some(65_100));
        assert_eq!(find_user_of_connection(&table, at(40_000), at(4101)), None);
    }
}
