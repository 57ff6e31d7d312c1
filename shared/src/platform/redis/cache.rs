//! The connection to Redis: one per process, shared by its clones, opened at first use and again after every loss.
//!
//! Everything in Redis is a hint, and each caller decides what an outage means. Every call ends within a few seconds,
//! with a result or with [`Error::unavailable`].

use std::time::Duration;

use futures_util::StreamExt;
use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo, ProtocolVersion, RedisResult, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig, PubSub},
    io::tcp::TcpSettings,
};

use crate::kernel::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// A Redis client. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Cache {
    manager: ConnectionManager,
    /// For listeners, which need a connection each.
    client: Client,
}

impl Cache {
    /// Parses a URL such as `redis://host:6379` or `rediss://user:password@host:6379`, and connects at the first use.
    ///
    /// Call it within the tokio runtime that is to own the connection.
    pub fn connect(url: &str) -> Result<Self> {
        open_connection(url).map(|(manager, client)| Self { manager, client }).map_err(Error::internal)
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let mut connection = self.manager.clone();
        let mut answer = command.query_async(&mut connection).await;
        if was_refused(&answer) {
            answer = command.query_async(&mut connection).await;
        }
        Ok(answer?)
    }

    /// Runs a script by its hash: one round trip, and two more if the server does not know the script yet.
    pub async fn eval<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        let mut connection = self.manager.clone();
        let mut answer = script.invoke_async(&mut connection).await;
        if was_refused(&answer) {
            answer = script.invoke_async(&mut connection).await;
        }
        Ok(answer?)
    }

    /// Subscribes to a channel until the listener is dropped.
    pub async fn listen(&self, channel: &str) -> Result<Listener> {
        let opened = async {
            let mut listener = self.client.get_async_pubsub().await?;
            listener.subscribe(channel).await?;
            Ok::<_, redis::RedisError>(Listener(listener))
        };
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened).await;
        Ok(opened.map_err(|_| Error::unavailable("Redis", "no listener in time"))??)
    }

    /// Checks that Redis answers.
    pub async fn ping(&self) -> Result<()> {
        self.query(&redis::cmd("PING")).await
    }
}

/// A subscription to one channel.
pub struct Listener(PubSub);

impl Listener {
    /// Waits for the next message and returns it; `None` if the connection is lost.
    pub async fn next_message(&mut self) -> Option<String> {
        let message = self.0.on_message().next().await?;
        Some(message.get_payload().unwrap_or_default())
    }
}

fn open_connection(url: &str) -> RedisResult<(ConnectionManager, Client)> {
    let info = url.into_connection_info()?;
    // RESP3 reports a lost connection at once, so that the next call does not fail because of it.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let info = info.set_redis_settings(settings).set_tcp_settings(tcp_settings());
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_min_delay(RECONNECT_PAUSE)
        .set_number_of_retries(1);
    let client = Client::open(info)?;
    Ok((ConnectionManager::new_lazy_with_config(client.clone(), config)?, client))
}

fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    // A peer that vanished silently (a failover, a frozen Lambda) is closed instead of timing out call by call.
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(RESPONSE_TIMEOUT);
    settings
}

/// Whether the command certainly was not sent, because there was no connection: the manager hands the failure of its
/// last attempt to the first call after it, however long ago that was. Anything else might have been carried out.
fn was_refused<T>(answer: &RedisResult<T>) -> bool {
    answer.as_ref().is_err_and(redis::RedisError::is_connection_refusal)
}
