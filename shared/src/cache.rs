//! The connection to Redis: one per process, shared by its clones, opened at first use and again after every loss.
//!
//! Everything in Redis is a hint: a caller decides for itself what an outage means to it, so every call answers within
//! a few seconds, with a result or with [`Error::unavailable`].

use std::time::Duration;

use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo, ProtocolVersion, RedisResult, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};

use crate::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Redis, as everything in the workspace reaches it. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Cache(ConnectionManager);

impl Cache {
    /// Reads the URL, such as `redis://host:6379` or `rediss://user:password@host:6379`; connects when first used.
    ///
    /// Call it inside a tokio runtime, which the connection then belongs to.
    pub fn connect(url: &str) -> Result<Self> {
        open(url).map(Self).map_err(Error::internal)
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let mut connection = self.0.clone();
        let mut answer = command.query_async(&mut connection).await;
        if was_refused(&answer) {
            answer = command.query_async(&mut connection).await;
        }
        Ok(answer?)
    }

    /// Runs a script by its hash: one round trip, and two more when the server does not know the script yet.
    pub async fn eval<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        let mut connection = self.0.clone();
        let mut answer = script.invoke_async(&mut connection).await;
        if was_refused(&answer) {
            answer = script.invoke_async(&mut connection).await;
        }
        Ok(answer?)
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<()> {
        self.query(&redis::cmd("PING")).await
    }
}

fn open(url: &str) -> RedisResult<ConnectionManager> {
    let info = url.into_connection_info()?;
    // RESP3 tells the manager of a lost connection at once, so that the next call need not be the one to find out.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let info = info.set_redis_settings(settings).set_tcp_settings(tcp());
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_min_delay(RECONNECT_PAUSE)
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(Client::open(info)?, config)
}

fn tcp() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    // A peer that vanished without a word (a failover, a frozen Lambda) is given up instead of timed out call by call.
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(RESPONSE_TIMEOUT);
    settings
}

/// Whether the command certainly was not sent, because there was no connection: the manager hands the failure of its
/// last attempt to the first call after it, however long ago that was. Anything else might have been carried out.
fn was_refused<T>(answer: &RedisResult<T>) -> bool {
    answer.as_ref().is_err_and(redis::RedisError::is_connection_refusal)
}
