//! Tickets: what a browser opens its stream with, as it cannot send headers. Good once, for a minute.
//!
//! Redis keeps a keyed hash of each and whose it is. A Redis that forgot them costs the client another ticket; what it says is
//! believed for who asked, never for whether that one still may, which is looked up in Postgres.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    app::App,
    clock::Time,
    error::{Code, Error, Result},
};

use super::{Who, service};

/// How long a ticket is good.
pub const GOOD_FOR: Duration = Duration::from_mins(1);

/// A ticket that was made.
pub struct Ticket {
    pub text: String,
    pub expires_at: Time,
}

/// Makes a ticket for whoever calls.
pub async fn issue(app: &App, who: &Who) -> Result<Ticket> {
    let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let expires_at = app.clock.now() + GOOD_FOR;
    let kept = serde_json::to_string(&(who, expires_at)).map_err(Error::internal)?;
    let mut set = redis::cmd("SET");
    set.arg(key(app, &text)).arg(kept).arg("PX").arg(u64::try_from(GOOD_FOR.as_millis()).unwrap_or(60_000)).arg("NX");
    app.cache.query::<()>(&set).await?;
    Ok(Ticket { text, expires_at })
}

/// Takes a ticket: whose it is. The next who comes with it is refused.
pub async fn take(app: &App, text: &str) -> Result<Who> {
    let refused = || Error::new(Code::Unauthenticated, "The ticket is not valid: each is good once, for a minute.");
    if text.len() > 100 {
        return Err(refused());
    }
    let kept: Option<String> = app.cache.query(redis::cmd("GETDEL").arg(key(app, text))).await?;
    let (who, expires_at): (Who, Time) = serde_json::from_str(&kept.ok_or_else(refused)?).map_err(Error::internal)?;
    if expires_at <= app.clock.now() || !service::still_may(app, &who).await? {
        return Err(refused());
    }
    Ok(who)
}

/// Keyed, so that who reads Redis has no ticket.
fn key(app: &App, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&app.keys.pepper.0).expect("HMAC takes keys of any length");
    mac.update(b"live ticket\0");
    mac.update(text.as_bytes());
    format!("live:ticket:{}", hex::encode(mac.finalize().into_bytes()))
}
