//! Passes bytes in both directions until both ends are done, or nothing has moved for too long.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    time::{Instant, sleep_until},
};

use super::totals::EgressCounters;

const BUFFER_BYTES: usize = 16 * 1024;

/// When something moved for the last time.
struct Activity(Mutex<Instant>);

impl Activity {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn wait_until_idle(&self, limit: Duration) {
        loop {
            let due = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + limit;
            if Instant::now() >= due {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// Passes bytes between an agent and a server. Each direction ends with the end of its source.
pub(super) async fn relay(
    agent: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    idle: Duration,
    counters: &EgressCounters,
) {
    let activity = Activity(Mutex::new(Instant::now()));
    let (mut from_agent, mut to_agent) = split(agent);
    let (mut from_server, mut to_server) = split(server);
    let sent = pass_on(&mut from_agent, &mut to_server, &activity, &counters.sent_bytes);
    let received = pass_on(&mut from_server, &mut to_agent, &activity, &counters.received_bytes);
    tokio::select! {
        // An end that fails is the end of both.
        _ = async { tokio::try_join!(sent, received) } => {}
        () = activity.wait_until_idle(idle) => {}
    }
}

async fn pass_on(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    activity: &Activity,
    counter: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        counter.fetch_add(length as u64, Ordering::Relaxed);
        activity.note();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn a_silent_connection_is_ended() {
        let counters = EgressCounters::default();
        let ((mut agent, inner), (mut server, outer)) = (duplex(100), duplex(100));
        agent.write_all(b"a").await.unwrap();
        relay(inner, outer, Duration::from_millis(50), &counters).await;
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!((text.as_str(), agent.read(&mut [0; 1]).await.unwrap()), ("a", 0));
        assert_eq!((counters.read().sent_bytes, counters.read().received_bytes), (1, 0));
    }

    #[tokio::test]
    async fn the_end_of_one_direction_leaves_the_other_open() {
        let counters = EgressCounters::default();
        let ((mut agent, inner), (mut server, outer)) = (duplex(100), duplex(100));
        let work = async {
            agent.write_all(b"question").await.unwrap();
            agent.shutdown().await.unwrap();
            let mut question = String::new();
            server.read_to_string(&mut question).await.unwrap();
            server.write_all(b"answer").await.unwrap();
            server.shutdown().await.unwrap();
            let mut answer = String::new();
            agent.read_to_string(&mut answer).await.unwrap();
            (question, answer)
        };
        let (texts, ()) = tokio::join!(work, relay(inner, outer, Duration::from_secs(5), &counters));
        assert_eq!(texts, ("question".to_owned(), "answer".to_owned()));
        assert_eq!((counters.read().sent_bytes, counters.read().received_bytes), (8, 6));
    }
}
