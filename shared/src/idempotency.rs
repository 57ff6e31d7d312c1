//! Idempotency keys: a request that is sent again with its key has one effect, and gets the answer of the first.
//!
//! The request runs as one [`Unit`]: its effect, its audit entries and its answer are written in one transaction. So
//! there is no time at which the effect stands without the answer, and a crash leaves neither.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use tokio_postgres::types::ToSql;

use crate::{
    app::App,
    auth::{Caller, key::Pepper},
    clock::Time,
    db::Owned,
    error::{Code, Error, Result},
    id::TenantId,
    unit::{Last, Unit},
};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// The longest key, in characters.
pub const MAX_KEY: usize = 255;

const NONCE: usize = 12;

const KEEP: &str = "select keep_idempotent_answer($1, $2, $3, $4, $5, $6, $7, $8)";

const KEEP_AND_APPEND: &str = "select keep_idempotent_answer($1, $2, $3, $4, $5, $6, $7, $8),
                                      audit_append($9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

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

/// A key of a request: ours from the first statement of its work until the end of the transaction, or refused by it.
pub struct Claimed {
    unit: Unit,
    tenant_id: TenantId,
    caller: String,
    key: String,
    hash: Vec<u8>,
    oldest: Time,
}

/// Takes a key for a request as soon as the request's work begins its transaction.
pub fn claim(app: &App, caller: &Caller, request: &Request<'_>) -> Claimed {
    let (tenant_id, who, key) = (caller.home_tenant_id, caller.principal.key(), request.key.to_owned());
    let oldest = app.clock.now() - TimeDelta::from_std(KEPT_FOR).unwrap_or_default();
    let claim = Owned {
        sql: "select claim_idempotency_key($1, $2, $3, $4)",
        values: vec![Box::new(tenant_id), Box::new(who.clone()), Box::new(key.clone()), Box::new(oldest)],
    };
    let unit = Unit::claiming(tenant_id, claim);
    Claimed { unit, tenant_id, caller: who, key, hash: hash(caller, request), oldest }
}

impl Claimed {
    /// Does the work of the request, of which nothing is committed yet.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        self.unit.scope(work).await
    }

    /// What was answered before, when the key was not free for the work: then nothing of it was done.
    pub async fn earlier(&self, app: &App) -> Result<Option<Answer>> {
        if !self.unit.refused()
            && self.unit.is_unclaimed()
            && let Err(error) = self.unit.scope(Box::pin(touch(app, self.tenant_id))).await
            && !self.unit.refused()
        {
            return Err(error);
        }
        if self.unit.refused() { self.look_up(app).await.map(Some) } else { Ok(None) }
    }

    async fn look_up(&self, app: &App) -> Result<Answer> {
        let sql = "select request_hash, status, answer from idempotency_keys
                   where tenant_id = $1 and caller = $2 and key = $3 and created_at > $4";
        let rows = app.db.read(self.tenant_id, sql, &[&self.tenant_id, &self.caller, &self.key, &self.oldest]).await?;
        let Some(row) = rows.first() else {
            let why = "A request with this Idempotency-Key is being worked on.";
            return Err(Error::new(Code::IdempotencyInProgress, why));
        };
        if row.try_get::<_, Vec<u8>>("request_hash")? != self.hash {
            let why = "This Idempotency-Key was sent before with another request.";
            return Err(Error::new(Code::IdempotencyKeyReused, why));
        }
        let (headers, body) = open(&app.keys.pepper, &self.hash, row.try_get("answer")?)?;
        Ok(Answer { status: row.try_get::<_, i16>("status")?.unsigned_abs(), headers, body })
    }

    /// Commits what the request did, together with its answer; then what was to follow is done. Answers what was answered
    /// before, as [`Claimed::earlier`], when the key was not free.
    pub async fn finish(self, app: &App, answer: &Answer) -> Result<Option<Answer>> {
        if self.unit.refused() {
            return self.look_up(app).await.map(Some);
        }
        match Box::pin(self.unit.end(&app.db, Some(self.keep(app, answer)?))).await {
            Ok(()) => Ok(None),
            // What was to be done may be refused because it was done before: the key is asked first.
            Err(error) => Box::pin(self.earlier(app)).await?.map(Some).ok_or(error),
        }
    }

    fn keep(&self, app: &App, answer: &Answer) -> Result<Last> {
        let sealed = seal(&app.keys.pepper, &self.hash, answer)?;
        let values: Vec<Box<dyn ToSql + Sync + Send>> = vec![
            Box::new(self.tenant_id),
            Box::new(self.caller.clone()),
            Box::new(self.key.clone()),
            Box::new(self.oldest),
            Box::new(self.hash.clone()),
            Box::new(i16::try_from(answer.status).unwrap_or_default()),
            Box::new(sealed),
            Box::new(app.clock.now()),
        ];
        Ok(Last { tenant_id: self.tenant_id, statement: Owned { sql: KEEP, values }, with_entry: KEEP_AND_APPEND })
    }
}

/// Begins the transaction of a unit, and with it takes its key.
async fn touch(app: &App, tenant_id: TenantId) -> Result<()> {
    let mut tx = app.db.tenant(tenant_id).await?;
    tx.query_all(&[]).await?;
    tx.commit().await
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

type Headers = Vec<(String, Vec<u8>)>;

fn seal(pepper: &Pepper, request_hash: &[u8], answer: &Answer) -> Result<Vec<u8>> {
    let mut text = Vec::with_capacity(NONCE + answer.body.len() + 1024);
    for (name, value) in &answer.headers {
        for part in [name.as_bytes(), value] {
            let length = u16::try_from(part.len()).map_err(Error::internal)?;
            text.extend_from_slice(&length.to_be_bytes());
            text.extend_from_slice(part);
        }
    }
    // A header has a name: what follows one without is the body.
    text.extend_from_slice(&[0, 0]);
    text.extend_from_slice(&answer.body);
    let sealed = sealing_key(pepper)?.seal_in_place_append_tag(Aad::from(request_hash), &mut text);
    let nonce = sealed.map_err(|_| Error::internal("an answer could not be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

fn open(pepper: &Pepper, request_hash: &[u8], sealed: &[u8]) -> Result<(Headers, Vec<u8>)> {
    let broken = || Error::internal("a kept answer cannot be opened; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = sealing_key(pepper)?.open_in_place(nonce, Aad::from(request_hash), &mut text).map_err(|_| broken())?;
    unpack(opened).ok_or_else(broken)
}

fn unpack(mut text: &[u8]) -> Option<(Headers, Vec<u8>)> {
    let mut part = || {
        let (length, rest) = text.split_first_chunk()?;
        let (part, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        text = rest;
        Some(part)
    };
    let mut headers = Vec::new();
    loop {
        match part()? {
            [] => break,
            name => headers.push((String::from_utf8(name.to_vec()).ok()?, part()?.to_vec())),
        }
    }
    Some((headers, text.to_vec()))
}

/// Forgets the answers that are a day old.
pub(crate) async fn forget(app: &App) -> Result<()> {
    let until = app.clock.now() - TimeDelta::from_std(KEPT_FOR).unwrap_or_default();
    app.db.directory("select forget_idempotency_keys($1)", &[&until]).await?;
    Ok(())
}
