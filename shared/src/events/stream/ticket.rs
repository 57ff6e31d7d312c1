//! Tickets: one-time credentials, valid for a minute, with which a browser opens a stream, as it cannot send headers.
//!
//! Redis stores a keyed hash of each ticket with its subscriber. If Redis loses it, the client needs another ticket.
//! Redis stores only who requested the ticket; whether that subscriber is still authorized is checked in Postgres.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    events::stream::services::StreamServices,
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
    },
};

use super::{Subscriber, authorization::is_still_authorized};

/// How long a ticket is valid.
pub const LIFETIME: Duration = Duration::from_mins(1);

/// A ticket that was issued, with its secret text.
pub struct Ticket {
    pub text: String,
    pub expires_at: Time,
}

/// Issues a ticket for a subscriber.
pub async fn issue_ticket(services: &StreamServices, subscriber: &Subscriber) -> Result<Ticket> {
    let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let expires_at = services.clock.now() + LIFETIME;
    let kept = serde_json::to_string(&(subscriber, expires_at)).map_err(Error::internal)?;
    let mut set = redis::cmd("SET");
    set.arg(redis_key(services, &text))
        .arg(kept)
        .arg("PX")
        .arg(u64::try_from(LIFETIME.as_millis()).unwrap_or(60_000))
        .arg("NX");
    services.cache.query::<()>(&set).await?;
    Ok(Ticket { text, expires_at })
}

/// Redeems a ticket and returns its subscriber. A ticket that was redeemed before is refused.
pub async fn redeem_ticket(services: &StreamServices, text: &str) -> Result<Subscriber> {
    let refused =
        || Error::new(Code::Unauthenticated, "The ticket is not valid: each can be used once, within a minute.");
    if text.len() > 100 {
        return Err(refused());
    }
    let kept: Option<String> = services.cache.query(redis::cmd("GETDEL").arg(redis_key(services, text))).await?;
    let (subscriber, expires_at): (Subscriber, Time) =
        serde_json::from_str(&kept.ok_or_else(refused)?).map_err(Error::internal)?;
    if expires_at <= services.clock.now() || !is_still_authorized(services, &subscriber).await? {
        return Err(refused());
    }
    Ok(subscriber)
}

/// A keyed hash, so that a reader of Redis learns no ticket.
fn redis_key(services: &StreamServices, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&services.pepper.0).expect("HMAC takes keys of any length");
    mac.update(b"live ticket\0");
    mac.update(text.as_bytes());
    format!("live:ticket:{}", hex::encode(mac.finalize().into_bytes()))
}
