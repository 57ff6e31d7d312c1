//! Idempotency keys: a request that is sent again with its key has one effect, and gets the answer of the first.
//!
//! The request runs as one [`Unit`]: its effect, its audit entries and its answer are written in one transaction. So
//! there is no time at which the effect stands without the answer, and a crash leaves neither.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    auth::{Caller, key::Pepper},
    db::{Owned, Tx},
    error::{Code, Error, Result},
    id::TenantId,
    unit::{Held, Unit, appending, lost, see},
};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// The longest key, in characters.
pub const MAX_KEY: usize = 255;

const NONCE: usize = 12;

/// A request that carries a key.
pub struct Request<'a> {
    pub key: &'a str,
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub body: &'a [u8],
}

/// An answer as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// What a key is found to be.
pub enum Claim {
    /// The first request with it: its work is done in [`Claimed::scope`].
    Fresh(Claimed),
    /// It was answered before.
    Replay(Answer),
}

/// A key that is ours until the end of the transaction.
pub struct Claimed {
    unit: Unit,
    tenant_id: TenantId,
    caller: String,
    key: String,
    hash: Vec<u8>,
}

/// Looks a key up, and takes it for this request when it is new.
pub async fn claim(app: &App, caller: &Caller, request: &Request<'_>) -> Result<Claim> {
    let hash = hash(caller, request);
    let (tenant_id, who) = (caller.home_tenant_id, caller.principal.key());
    let unit = Unit::default();
    let claimed = unit.scope(look_up(app, tenant_id, &who, request.key)).await?;
    match claimed {
        Found::Nothing => Ok(Claim::Fresh(Claimed { unit, tenant_id, caller: who, key: request.key.to_owned(), hash })),
        Found::Busy => {
            Err(Error::new(Code::IdempotencyInProgress, "A request with this Idempotency-Key is being worked on."))
        }
        Found::Answered { request_hash, .. } if request_hash != hash => {
            Err(Error::new(Code::IdempotencyKeyReused, "This Idempotency-Key was sent before with another request."))
        }
        Found::Answered { status, answer, .. } => {
            let (headers, body) = open(&app.keys.pepper, &hash, &answer)?;
            Ok(Claim::Replay(Answer { status, headers, body }))
        }
    }
}

enum Found {
    Nothing,
    Busy,
    Answered { request_hash: Vec<u8>, status: u16, answer: Vec<u8> },
}

async fn look_up(app: &App, tenant_id: TenantId, caller: &str, key: &str) -> Result<Found> {
    let mut tx = app.db.tenant(tenant_id).await?;
    let oldest = app.clock.now() - TimeDelta::from_std(KEPT_FOR).unwrap_or_default();
    let lock = "select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as ours";
    let name = format!("idempotency:{tenant_id}:{caller}:{key}");
    // A statement of its own, so that it sees what was committed before the lock was ours.
    let stored = "select request_hash, status, answer from idempotency_keys
                  where tenant_id = $1 and caller = $2 and key = $3 and created_at > $4";
    let answers = tx.query_all(&[(lock, &[&name]), (stored, &[&tenant_id, &caller, &key, &oldest])]).await?;
    let found = match answers[1].first() {
        Some(row) => Found::Answered {
            request_hash: row.try_get("request_hash")?,
            status: row.try_get::<_, i16>("status")?.unsigned_abs(),
            answer: row.try_get("answer")?,
        },
        None if answers[0][0].try_get("ours")? => Found::Nothing,
        None => Found::Busy,
    };
    if matches!(found, Found::Nothing) {
        tx.commit().await?;
    }
    Ok(found)
}

impl Claimed {
    /// Does the work of the request, of which nothing is committed yet.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        self.unit.scope(work).await
    }

    /// Commits what the request did, together with its answer; then what was to follow is done.
    pub async fn finish(self, app: &App, answer: &Answer) -> Result<()> {
        let Held { client, entries, after, undone } = self.unit.held();
        let client = client.filter(|_| !undone).ok_or_else(lost)?;
        let tx = Tx::going_on(&app.db, client, self.tenant_id);
        let (mut statements, sees) = appending(entries, self.tenant_id);
        if sees != self.tenant_id {
            statements.push(see(self.tenant_id));
        }
        statements.push(self.keep(app, answer)?);
        let params: Vec<_> = statements.iter().map(Owned::params).collect();
        let all: Vec<_> = statements.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
        tx.finish_all(&all).await?;
        for follows in after {
            follows.await;
        }
        Ok(())
    }

    fn keep(&self, app: &App, answer: &Answer) -> Result<Owned<'static>> {
        let sealed = seal(&app.keys.pepper, &self.hash, &(&answer.headers, &answer.body))?;
        Ok(Owned {
            sql: "insert into idempotency_keys (tenant_id, caller, key, request_hash, status, answer, created_at)
                  values ($1, $2, $3, $4, $5, $6, $7)
                  on conflict (tenant_id, caller, key) do update
                  set request_hash = excluded.request_hash, status = excluded.status, answer = excluded.answer,
                      created_at = excluded.created_at",
            values: vec![
                Box::new(self.tenant_id),
                Box::new(self.caller.clone()),
                Box::new(self.key.clone()),
                Box::new(self.hash.clone()),
                Box::new(i16::try_from(answer.status).unwrap_or_default()),
                Box::new(sealed),
                Box::new(app.clock.now()),
            ],
        })
    }
}

fn hash(caller: &Caller, request: &Request<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [request.method.as_bytes(), request.target.as_bytes(), caller.tenant_id.0.as_bytes(), request.body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The key that answers are sealed with: from the pepper, which the database does not hold.
fn sealing_key(pepper: &Pepper) -> Result<RandomizedNonceKey> {
    let mut hash = Sha256::new();
    hash.update(b"idempotency answers\0");
    hash.update(&pepper.0);
    RandomizedNonceKey::new(&AES_256_GCM, &hash.finalize()).map_err(|_| Error::internal("a key of the wrong length"))
}

type Kept = (Vec<(String, Vec<u8>)>, Vec<u8>);

fn seal(pepper: &Pepper, request_hash: &[u8], answer: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(answer)?;
    let sealed = sealing_key(pepper)?.seal_in_place_append_tag(Aad::from(request_hash), &mut text);
    let nonce = sealed.map_err(|_| Error::internal("an answer could not be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

fn open(pepper: &Pepper, request_hash: &[u8], sealed: &[u8]) -> Result<Kept> {
    let broken = || Error::internal("a kept answer cannot be opened; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = sealing_key(pepper)?.open_in_place(nonce, Aad::from(request_hash), &mut text).map_err(|_| broken())?;
    Ok(serde_json::from_slice(opened)?)
}

/// Forgets the answers that are a day old.
pub(crate) async fn forget(app: &App) -> Result<()> {
    let until = app.clock.now() - TimeDelta::from_std(KEPT_FOR).unwrap_or_default();
    app.db.directory("select forget_idempotency_keys($1)", &[&until]).await?;
    Ok(())
}
